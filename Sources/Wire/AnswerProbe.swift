package import Base

/// What a complete plain answer says about itself.
package struct AnswerProbe: Sendable {
  package private(set) var isJSON = false
  /// A top-level `error` that is neither null, false nor empty (also in an array around it).
  package private(set) var hasError = false
  package private(set) var usage = TokenUsage()

  package init() {}

  package mutating func read(_ body: Span<UInt8>) {}
}
