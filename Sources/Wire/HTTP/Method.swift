/// The request methods that are told apart (RFC 9110 §9.3, RFC 5789). Methods are case-sensitive.
@frozen @usableFromInline package enum Method: UInt8, Sendable {
  case get, head, post, put, patch, delete, options, other
}
