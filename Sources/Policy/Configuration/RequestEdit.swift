/// One change of a request's JSON before it goes to a provider. A path names an object's members; `[]` steps
/// into each element of an array: `messages[].name`.
package struct RequestEdit: Equatable, Sendable {
  package enum Action: Equatable, Sendable {
    case drop
    /// Drop the member unless its value is this JSON text (`n` unless 1).
    case dropUnless(String)
    /// Drop the member where its value is this JSON text (`content` where null).
    case dropWhere(String)
    /// Give the member another name, unless one of that name is there already.
    case rename(String)
    /// Lower a number to at most this.
    case clamp(Int)
    /// Add the member with this JSON text where it is missing. Top level only.
    case fallback(String)
    /// Replace a value that is this JSON text by another (`null` by `""`).
    case replace(String, with: String)
  }
  package var path: String
  package var action: Action
  package init(path: String, action: Action) {
    self.path = path
    self.action = action
  }
}
