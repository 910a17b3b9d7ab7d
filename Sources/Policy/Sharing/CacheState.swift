/// What the response cache did for one request.
package enum CacheState: Int, CaseIterable, Sendable {
  case bypass, miss, hit, coalesced
  package var name: StaticString {
    switch self {
    case .bypass: "bypass"
    case .miss: "miss"
    case .hit: "hit"
    case .coalesced: "coalesced"
    }
  }

  /// The answer cost no upstream call.
  package var isShared: Bool { self == .hit || self == .coalesced }
}
