/// A name of the operator's own for a list of candidates.
package struct Alias: Equatable, Sendable {
  package struct Target: Equatable, Sendable {
    package var provider: String
    /// Our name of the model at that provider, or the provider's own.
    package var model: String
    package init(provider: String, model: String) {
      self.provider = provider
      self.model = model
    }
  }
  package var name: String
  package var targets: [Target]
  package var caches: Bool?
  package var coalesces: Bool?
  package init(name: String, targets: [Target]) {
    self.name = name
    self.targets = targets
  }
}
