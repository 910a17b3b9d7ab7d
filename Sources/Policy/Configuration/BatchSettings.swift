package import Base

/// The `batch` section of a provider: requests for embeddings that come within a window become one call.
package struct BatchSettings: Equatable, Sendable {
  /// From the first of them on.
  package var window = Interval.milliseconds(3)
  /// Inputs of one call.
  package var size = 64
  package init() {}
}
