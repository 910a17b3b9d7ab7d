/// The tokens that an answer says it used. Nil where it was not said.
package struct TokenUsage: Hashable, Sendable {
  package var input: Int64?
  package var output: Int64?
  package var total: Int64?
  package init() {}
  package var isKnown: Bool { input != nil || output != nil || total != nil }
}
