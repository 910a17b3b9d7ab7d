/// A stream's place on the connection that carries it (RFC 9113 §5).
final class Lane {
  let carrier: Connection
  let stream: Int32
  /// Bytes of the request's body that have not been given back to the stream's window.
  var owed = 0
  /// All of the request has come.
  var isWhole = false
  /// The answer's head is out.
  var hasHead = false
  /// All of the answer is with the sink; it may be one that was cut.
  var isFinished = false
  /// Neither side has anything more to say.
  var isOver = false
  /// It is among those that have something to send.
  var isSending = false

  init(_ carrier: Connection, _ stream: Int32) {
    self.carrier = carrier
    self.stream = stream
  }
}
