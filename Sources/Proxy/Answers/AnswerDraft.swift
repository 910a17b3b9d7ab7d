internal import Base
internal import Downstream
internal import Exchange
internal import Policy
internal import Upstream
internal import Wire

/// An answer while it is written: its head, and what of its body goes out with it. Every head of ours is composed here.
///
/// A head is begun, gets its fields, and is ended for its client. Lines stand in that order.
struct AnswerDraft: ~Copyable {
  var head = ByteBuffer()
  var body = ByteBuffer()

  mutating func begin(_ status: Int, type: StaticString? = nil) {
    head.removeAll()
    head.appendStatusLine(status)
    if let type { head.appendField("Content-Type", type) }
  }

  /// Has the client's sink say where the body ends. `hasBody`: as for `ResponseSink.begin`.
  mutating func appendFraming(for connection: Connection, length: Int64?, hasBody: Bool = true) {
    connection.sink.begin(connection.head.version, length: length, hasBody: hasBody, in: &head)
  }

  /// No proxy on the way may keep or hold back an event stream (nginx heeds the second).
  mutating func appendStreamFields() {
    head.appendField("Cache-Control", "no-cache, no-transform")
    head.appendField("X-Accel-Buffering", "no")
  }

  mutating func appendText(_ name: StaticString, _ value: String) {
    head.append(name)
    head.append(": ")
    head.append(value)
    head.append("\r\n")
  }

  /// What an error asks of its client besides its words.
  mutating func appendErrorFields(_ error: LocalError) {
    if error == .upgradeRequired { head.appendField("Upgrade", "websocket") }
    if case .methodNotAllowed(let allow, _) = error { head.appendField("Allow", allow) }
    // What would have been taken (RFC 9110 §12.5.3).
    if error == .unsupportedEncoding { head.appendField("Accept-Encoding", "identity") }
    if error.row.status == 401 { head.appendField("WWW-Authenticate", "Bearer") }
    if let time = error.retryAfter { head.appendField("Retry-After", decimal: max(1, time.wholeSecondsUp)) }
  }

  /// What the gate found out: the client's own limit, and what its browser may do.
  mutating func appendAccessFields(of connection: Connection) {
    if let quota = connection.access.quota {
      head.appendField("x-ratelimit-limit-requests", decimal: quota.limit.value)
      head.appendField("x-ratelimit-remaining-requests", decimal: quota.remaining.value)
      head.append("x-ratelimit-reset-requests: ")
      head.append(duration: quota.reset)
      head.append("\r\n")
    }
    if connection.access.variesByOrigin { head.appendField("Vary", "Origin") }
    guard let origin = connection.access.origin else { return }
    appendText("Access-Control-Allow-Origin", origin)
    if connection.access.isPreflight { return }
    head.appendField(
      "Access-Control-Expose-Headers",
      """
      X-Request-ID, X-Upstream-Request-ID, Retry-After, X-Synaxis-Provider, X-Synaxis-Attempts, X-Synaxis-Cache, X-Synaxis-Batch, \
      x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests
      """)
  }

  /// A provider's fields, but for those that `appendAccessFields` says itself: a client with a limit of its own is told
  /// that one.
  mutating func appendProviderFields(_ lines: Span<UInt8>, for connection: Connection) {
    guard connection.access.quota != nil else {
      head.append(lines)
      return
    }
    var start = 0
    while start < lines.count {
      let rest = lines.extracting(start..<lines.count)
      let end = rest.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? rest.count
      let name = rest.extracting(0..<(rest.firstIndex(of: UInt8(ascii: ":")) ?? 0))
      if !Self.isOfAccess(name) { head.append(rest.extracting(0..<end)) }
      start += end
    }
  }

  private static func isOfAccess(_ name: Span<UInt8>) -> Bool {
    name.equalsIgnoringCase("x-ratelimit-limit-requests")
      || name.equalsIgnoringCase("x-ratelimit-remaining-requests")
      || name.equalsIgnoringCase("x-ratelimit-reset-requests")
  }

  /// The last lines of every head: for this client, and for its connection.
  mutating func end(_ connection: Connection, closes: Bool) {
    appendAccessFields(of: connection)
    connection.sink.endHead(&head, goesOn: !closes)
  }

  /// Sends what is written, if anything. The head is empty then, the body stays.
  mutating func send(to connection: Connection) { connection.sink.send(&head, body.unsafeBytes) }

  /// Moves it out; what is left is empty.
  mutating func take() -> AnswerDraft { AnswerDraft(head: head.take(), body: body.take()) }

  /// Empties it, and gives back what is more than usual.
  mutating func recycle() {
    head.recycle(keeping: Limits.keptBuffer)
    body.recycle(keeping: Limits.pagePiece * 2)
  }
}

extension Runner {
  /// The draft that is free, with the memory of the one before. Whoever has it gives it back.
  func takeDraft() -> AnswerDraft { draft.take() }

  func giveBack(_ used: consuming AnswerDraft) {
    used.recycle()
    draft = used
  }

  /// Ends a head, which says whether its connection goes on.
  func end(_ draft: inout AnswerDraft, _ connection: Connection, closes: Bool = false) {
    draft.end(connection, closes: closes || !connection.keepsAlive || isDraining)
  }
}
