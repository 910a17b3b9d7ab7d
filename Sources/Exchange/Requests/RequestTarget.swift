internal import Base

/// What of a stored response is asked for, and so how.
package enum StoredResponse: Equatable, Sendable { case itself, cancellation, inputItems }

/// What a request line asks for.
package enum RequestTarget: Equatable, Sendable {
  /// An exchange with a provider.
  case proxy(Endpoint)
  /// `/v1/responses/{id}`, `…/cancel` or `…/input_items`: the ranges are the name, and all behind `responses/`.
  case stored(name: Range<Int>, StoredResponse, Range<Int>)
  /// One of our own pages; the range is the name that its path holds, still percent-encoded, slashes included.
  case page(Page, name: Range<Int>)
  /// `/providers/{name}/…`: what a provider is asked for as it is; ranges of its name and of the rest.
  case provider(name: Range<Int>, rest: Range<Int>)
  case none
}

extension RequestTarget {
  /// Reads a path without its query.
  ///
  /// Endpoints and models stand behind `/v1`, behind `/openai/v1`, or at the root: SDKs are given all three as their
  /// base URL, with a slash at its end or `/v1` twice. Repeated slashes are one, and one at the end is none. Letters
  /// compare exactly (RFC 3986 §6.2.2.1). Azure's client puts `deployments/NAME` before the endpoint: the body names
  /// the model too.
  package init(path: Span<UInt8>) {
    var end = path.count
    while end > 1, path[end - 1] == UInt8(ascii: "/") { end -= 1 }
    guard end > 0, path[0] == UInt8(ascii: "/") else {
      self = .none
      return
    }
    var start = min(path.behindSlashes(0), end)
    if let name = path.behind("providers", at: start, upTo: path.count) {
      let slash = path.behindSegment(name, upTo: path.count)
      if slash < path.count {
        // Its slashes are its own.
        self = .provider(name: name..<slash, rest: slash + 1..<path.count)
        return
      }
    }
    // None of our own pages is where the endpoints are, which most requests ask for.
    if !path.hasPrefix("/v1/"), let (page, name) = Page.find(path.extracting(0..<end)) {
      self = .page(page, name: name)
      return
    }
    if let next = path.behind("openai", at: start, upTo: end) {
      start = next
      if let name = path.behind("deployments", at: start, upTo: end) {
        start = min(path.behindSlashes(path.behindSegment(name, upTo: end)), end)
      }
    }
    while let next = path.behind("v1", at: start, upTo: end) { start = next }
    let name = path.extracting(start..<end)
    if let endpoint = Endpoint(path: name) {
      self = .proxy(endpoint)
    } else if let place = path.behind("responses", at: start, upTo: end),
      let stored = Self.stored(path, place..<end)
    {
      self = stored
    } else if name.isPath("models") {
      self = .page(.models, name: 0..<0)
    } else if let id = path.behind("models", at: start, upTo: end) {
      self = .page(.model, name: id..<end)
    } else {
      self = .none
    }
  }

  /// What is asked of a response: names are made of letters, digits, `_`, `-` and `.`, so that nothing else can be
  /// reached by one.
  private static func stored(_ path: Span<UInt8>, _ range: Range<Int>) -> RequestTarget? {
    let end = path.behindSegment(range.lowerBound, upTo: range.upperBound)
    let name = range.lowerBound..<end
    guard name.count <= Limits.responseName, path[name.lowerBound] != UInt8(ascii: ".") else { return nil }
    for at in name {
      switch path[at] {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
        continue
      default: return nil
      }
    }
    if end == range.upperBound { return .stored(name: name, .itself, range) }
    let rest = path.extracting(end..<range.upperBound)
    if rest.equals("/cancel") { return .stored(name: name, .cancellation, range) }
    if rest.equals("/input_items") { return .stored(name: name, .inputItems, range) }
    return nil
  }
}

extension Span<UInt8> {
  /// The first place from `start` on that is no slash.
  fileprivate func behindSlashes(_ start: Int) -> Int {
    var at = start
    while at < count, self[at] == UInt8(ascii: "/") { at += 1 }
    return at
  }

  /// Behind a segment that stands at `start` and the slashes that follow it; nil where something else stands there,
  /// or nothing follows.
  fileprivate func behind(_ segment: StaticString, at start: Int, upTo end: Int) -> Int? {
    guard start < end, extracting(start..<end).hasPrefix(segment) else { return nil }
    let slash = start + segment.utf8CodeUnitCount
    guard slash < end, self[slash] == UInt8(ascii: "/") else { return nil }
    return behindSlashes(slash)
  }

  /// The end of the segment that begins at `start`.
  fileprivate func behindSegment(_ start: Int, upTo end: Int) -> Int {
    var at = start
    while at < end, self[at] != UInt8(ascii: "/") { at += 1 }
    return at
  }

  /// Whether this is that path, with slashes repeated or not.
  func isPath(_ path: StaticString) -> Bool {
    if count <= path.utf8CodeUnitCount { return equals(path) }
    var at = 0
    for i in 0..<path.utf8CodeUnitCount {
      guard at < count, self[at] == path.utf8Start[i] else { return false }
      at = path.utf8Start[i] == UInt8(ascii: "/") ? behindSlashes(at) : at + 1
    }
    return at == count
  }
}
