/// What an exchange wants done. Numbers are attempts.
package enum ExchangeEffect: Equatable, Sendable {
  case open(Int)
  case cancel(Int)
  /// Leave the connection to itself: it sends no request, but its end still tells about the provider. The
  /// ticket is given back then.
  case letGo(Int)
  case checkPath(Int)
  /// Nothing else may use the connections to that host.
  case dropPath(Int)
  case checkProgress(Int)
  /// Send the head and what is held, then forward what comes.
  case commit(Int)
  /// Send the whole answer, which is held.
  case relay(Int)
  /// The forwarded answer is complete.
  case finish(Int)
  /// A comment for a streaming client that waits; the first one with the head.
  case sendComment(isFirst: Bool)
  case answerError(LocalError)
  /// The answer has begun and cannot be finished.
  case breakOff(LocalError)
  case concluded
}
