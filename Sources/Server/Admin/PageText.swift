internal import Base
internal import Upstream

/// What one of our own pages says, as far as it is not written yet.
enum PageText {
  case metrics(MetricsPage)
  case providers(ProviderPage)
  /// A text that was made before, from a place on.
  case bytes([UInt8], from: Int)
  case none

  enum Progress {
    case more, complete
    /// What is still to come does not fit what was written.
    case outdated
  }

  /// Adds what comes next until `out` has about `size` bytes: whole items, of which each is small.
  mutating func write(upTo size: Int, now: Moment, into out: inout ByteBuffer) -> Progress {
    switch self {
    case .metrics(var metrics):
      if metrics.isOutdated { return .outdated }
      let goesOn = metrics.write(upTo: size, now: now.instant, into: &out)
      self = .metrics(metrics)
      return goesOn ? .more : .complete
    case .providers(var providers):
      let goesOn = providers.write(upTo: size, now: now, into: &out)
      self = .providers(providers)
      return goesOn ? .more : .complete
    case .bytes(let text, let start):
      let end = start + min(text.count - start, max(0, size - out.count))
      out.append(text.span.extracting(start..<end))
      self = .bytes(text, from: end)
      return end < text.count ? .more : .complete
    case .none: return .complete
    }
  }

  /// Bytes that are still to come, where that is known.
  var rest: Int? {
    switch self {
    case .metrics, .providers: nil
    case .bytes(let text, let start): text.count - start
    case .none: 0
    }
  }
}

/// A page whose head and first piece are out, and how its rest is framed.
final class UnfinishedPage {
  var text: PageText
  let framing: RelayFraming
  /// The answer goes on behind it: events.
  let isFollowed: Bool

  init(_ text: PageText, _ framing: RelayFraming, isFollowed: Bool = false) {
    self.text = text
    self.framing = framing
    self.isFollowed = isFollowed
  }
}
