package import Policy

/// What is known of a provider type before the file says anything (PROVIDERS.md).
package struct Preset: Sendable {
  package enum KeyNeed: Equatable, Sendable { case required, optional, none }
  /// The type as the file writes it, in lower case.
  package var name: String
  /// Other spellings, normalised (lower case, without `_`, `-` and spaces).
  package var spellings: [String] = []
  /// Where `{account_id}` or `{resource}` stands, the file's value is put in. nil: the file must say.
  package var endpoint: String?
  package var keyNeed = KeyNeed.required
  package var keyScheme = KeyScheme.bearer
  package var headers: [(name: String, value: String)] = []
  package var edits: [RequestEdit] = []
  package var quotaHeaders = QuotaHeaders([])
  package var quotaIsShared = false
}
