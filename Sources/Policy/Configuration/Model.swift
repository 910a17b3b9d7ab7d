/// A model that a provider serves: our name and the provider's.
package struct Model: Equatable, Sendable {
  package var name: String
  package var upstreamName: String
  package var cost: Cost?
  /// Context window in tokens.
  package var context: Int?
  /// nil: as the `cache` section says. False keeps this model's answers out.
  package var caches: Bool?
  package var coalesces: Bool?
  package init(name: String, upstreamName: String) {
    self.name = name
    self.upstreamName = upstreamName
  }
}
