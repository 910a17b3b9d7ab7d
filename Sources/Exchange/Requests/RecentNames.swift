internal import Base

/// Names that were asked for lately: a request that repeats one shares its array instead of making another.
///
/// Each name has one place, by its hash; another with the same place takes it over. So a client that makes names
/// up costs an allocation per request, and nothing grows.
struct RecentNames: Sendable {
  private var places: [[UInt8]] = Array(repeating: [], count: Limits.recentNames)

  mutating func array(of name: Span<UInt8>) -> [UInt8] {
    if name.count > Limits.modelName { return name.array }
    var hash: UInt32 = 0x811c_9dc5
    for i in 0..<name.count { hash = (hash ^ UInt32(name[i])) &* 0x0100_0193 }
    let place = Int(truncatingIfNeeded: hash ^ hash >> 16) & (Limits.recentNames - 1)
    let kept = places[place]
    if kept.span.equals(name) { return kept }
    places[place] = name.array
    return places[place]
  }
}
