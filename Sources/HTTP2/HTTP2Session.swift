internal import Base
internal import CNghttp2

/// What has come on an HTTP/2 connection.
package struct HTTP2Event {
  package enum Fact: Equatable, Sendable {
    /// A message's head, in the lines that HTTP/1.1 would have: `bytes`.
    case head
    /// A request's head that a body follows: the same.
    case openHead
    case headTooLong
    /// Bytes of a body, which lie in what was received.
    case data
    /// The other side's message is complete.
    case end
    /// The stream is over.
    case closed(code: UInt32)
    /// The other side takes no further streams.
    case goAway
  }
  package let fact: Fact
  package let stream: Int32
  /// What the stream's owner gave it.
  package let tag: UInt32
  /// Bytes of our body that had been given to the connection.
  package let sent: Int
  /// Lifetime: until the session next receives.
  package let bytes: UnsafeRawBufferPointer
}

/// One HTTP/2 connection (RFC 9113) by nghttp2: bytes in, events out; messages in, bytes out. It does no I/O, and its
/// owner says how much has been taken of what came, which is what lets the other side send more. What is the server's
/// side alone is in `HTTP2Answers.swift`.
package final class HTTP2Session {
  // Lifetime: made in init, freed in deinit.
  let session: UnsafeMutablePointer<ch2_session>
  /// Where a server's frames are made. Lifetime: kept until the session is freed.
  private let desk: FrameDesk?
  private var eventsRead = 0
  /// What was given and waits until the events before it have been taken.
  private var rest = UnsafeRawBufferPointer.none
  /// Nothing more can be received or sent.
  package private(set) var isBroken = false

  /// A client's session; nil: memory is out.
  package init?() {
    guard
      let session = ch2_client(
        UInt32(Limits.streamWindow), Int32(Limits.connectionWindow), UInt32(Limits.upstreamHead))
    else { return nil }
    self.session = session
    desk = nil
  }

  /// A server's session, its settings ready to be sent; nil: memory is out.
  package init?(answering headLimit: Int, at desk: FrameDesk) {
    guard let room = desk.room,
      let session = ch2_server(
        room, UInt32(Limits.clientStreams), UInt32(Limits.clientStreamWindow), Int32(Limits.clientWindow),
        UInt32(headLimit), Limits.continuations, Limits.outboundAcks)
    else { return nil }
    self.session = session
    self.desk = desk
  }

  deinit { ch2_free(session) }

  // MARK: - In

  /// Takes bytes in. Lifetime: they stay in place until all events have been taken.
  package func receive(_ bytes: UnsafeRawBufferPointer) {
    precondition(eventsRead == session.pointee.count && rest.isEmpty)
    rest = bytes
    receiveRest()
  }

  private func receiveRest() {
    session.pointee.count = 0
    eventsRead = 0
    let taken = ch2_receive(session, rest.baseAddress, rest.count)
    if taken < 0 { isBroken = true }
    rest = UnsafeRawBufferPointer(rebasing: rest[(taken < 0 ? rest.count : taken)...])
  }

  /// The next thing that has come, or that sending has brought about; nil: no more.
  package func nextEvent() -> HTTP2Event? {
    while eventsRead == session.pointee.count {
      // A pause may come with the last byte, and what that completes is still to be told.
      if rest.isEmpty, session.pointee.is_paused == 0 || isBroken {
        ch2_settle(session)
        eventsRead = 0
        return nil
      }
      receiveRest()
    }
    let event = session.pointee.events[eventsRead]
    eventsRead += 1
    let fact: HTTP2Event.Fact
    switch event.kind {
    case ch2_head: fact = event.code == 0 ? .openHead : .head
    case ch2_head_too_long: fact = .headTooLong
    case ch2_data: fact = .data
    case ch2_end: fact = .end
    case ch2_goaway: fact = .goAway
    default: fact = .closed(code: event.code)
    }
    let hasBytes = fact == .head || fact == .openHead || fact == .data
    return HTTP2Event(
      fact: fact, stream: event.stream, tag: event.tag, sent: Int(event.sent),
      bytes: UnsafeRawBufferPointer(
        start: hasBytes ? event.bytes : nil, count: hasBytes ? Int(event.count) : 0))
  }

  /// Bytes of a body have been received: others may follow, of any stream.
  package func tookIn(_ count: Int) { nghttp2_session_consume_connection(session.pointee.session, count) }

  /// Bytes of a stream's body have been passed on: others of it may follow.
  package func passedOn(_ count: Int, of stream: Int32) {
    nghttp2_session_consume_stream(session.pointee.session, stream, count)
  }

  // MARK: - Out

  /// Frames that wait to be sent, those not counted that wait for a window.
  package var waitingFrames: Int { nghttp2_session_get_outbound_queue_size(session.pointee.session) }
  /// Streams that are not over.
  package var streamCount: Int { Int(session.pointee.stream_count) }
  /// Streams that the other side lets us have at once.
  package var mostStreams: Int { Int(clamping: ch2_most_streams(session)) }
  /// A further stream may be begun.
  package var takesStreams: Bool {
    !isBroken && nghttp2_session_check_request_allowed(session.pointee.session) != 0
  }

  /// Begins a request. `head`: lines `name: value`, each ended by CRLF, those of pseudo-header fields first; names are
  /// put into lower case. nil: there can be no further stream here.
  ///
  /// `isOpen`: the body has no pieces yet and comes by `feed`.
  ///
  /// Lifetime: the body's pieces are read until the stream is closed or reset.
  package func submit(
    tag: UInt32, head: UnsafeMutableRawBufferPointer, body: [UnsafeRawBufferPointer], isOpen: Bool = false
  ) -> Int32? {
    let stream = withUnsafeTemporaryAllocation(of: ch2_piece.self, capacity: body.count) { pieces in
      for (at, bytes) in body.enumerated() {
        pieces.initializeElement(at: at, to: ch2_piece(base: bytes.baseAddress, count: bytes.count))
      }
      let start = head.baseAddress?.assumingMemoryBound(to: CChar.self)
      return ch2_submit(session, tag, start, head.count, pieces.baseAddress, body.count, isOpen ? 1 : 0)
    }
    return stream > 0 ? stream : nil
  }

  /// Gives an open stream all bytes of its body that have not been taken, in place of what it was given before.
  /// Lifetime: they are read until the next call, or until the stream is closed or reset.
  package func feed(_ bytes: UnsafeRawBufferPointer, isLast: Bool, to stream: Int32) {
    ch2_feed(session, stream, bytes.baseAddress, bytes.count, isLast ? 1 : 0)
  }

  /// How many bytes of a body have been taken, of a stream that is not closed.
  package func sent(of stream: Int32) -> Int { ch2_find(session, stream).map { Int($0.pointee.sent) } ?? 0 }

  /// Gives a stream up (RFC 9113 §5.4.2): its body is not read any more.
  package func reset(_ stream: Int32) {
    guard let known = ch2_find(session, stream) else { return }
    known.pointee.is_forgotten = 1
    nghttp2_submit_rst_stream(
      session.pointee.session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, NGHTTP2_CANCEL.rawValue)
  }

  /// Asks whether the other side is there (RFC 9113 §6.7). Whatever it says next is an answer.
  package func ping() {
    nghttp2_submit_ping(session.pointee.session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
  }

  /// No further streams are begun, and the other side is told (RFC 9113 §6.8).
  package func sayGoodbye() {
    nghttp2_session_terminate_session(session.pointee.session, NGHTTP2_NO_ERROR.rawValue)
  }

  /// The next bytes to send; nil: there are none. Lifetime: until this session is next called, or another at its desk.
  package func output() -> UnsafeRawBufferPointer? {
    var bytes: UnsafePointer<UInt8>?
    let count = ch2_output(session, &bytes)
    // Neither to read nor to write: the session has ended itself over what it received.
    let isOver =
      count == 0 && nghttp2_session_want_read(session.pointee.session) == 0
      && nghttp2_session_want_write(session.pointee.session) == 0
    if count < 0 || isOver { isBroken = true }
    return count > 0 ? UnsafeRawBufferPointer(start: bytes, count: count) : nil
  }

  /// The other side has not taken the stream up (RFC 9113 §8.7).
  package static let refusedStream = NGHTTP2_REFUSED_STREAM.rawValue

  /// The name of an error code (RFC 9113 §7).
  package static func name(ofError code: UInt32) -> String { String(cString: nghttp2_http2_strerror(code)) }
}
