internal import Base
internal import Exchange

/// What a path behind `/admin/` asks for. Ranges are a provider's name, still percent-encoded.
package enum AdminTarget: Equatable, Sendable {
  case health, providers
  case activity, events
  case status(Range<Int>)
  case reset(Range<Int>)
  case clearCache
  case none

  package init(path: Span<UInt8>) {
    self = .none
    if path.equals("health") { self = .health }
    if path.equals("providers") { self = .providers }
    if path.equals("activity") { self = .activity }
    if path.equals("events") { self = .events }
    if path.equals("cache/clear") { self = .clearCache }
    let prefix = 10
    if path.hasPrefix("providers/") {
      if let name = Self.name(in: path, from: prefix, before: "/status") { self = .status(name) }
      if let name = Self.name(in: path, from: prefix, before: "/reset") { self = .reset(name) }
    }
  }

  /// What stands between a prefix of that length and a suffix; nil where it is empty.
  private static func name(in path: Span<UInt8>, from start: Int, before suffix: StaticString) -> Range<Int>?
  {
    let end = path.count - suffix.utf8CodeUnitCount
    guard end > start, path.extracting(end..<path.count).equals(suffix) else { return nil }
    return start..<end
  }

  /// It changes something, and so wants POST.
  var isCommand: Bool {
    switch self {
    case .reset, .clearCache: true
    case .health, .providers, .activity, .events, .status, .none: false
    }
  }
}

extension RequestTarget {
  /// What an admin listener serves: it is no second way to the providers.
  var isForOperators: Bool {
    switch self {
    case .admin, .home, .metrics, .liveness, .readiness: true
    case .proxy, .stored, .provider, .models, .model, .none: false
    }
  }
}
