internal import CNghttp2

// What a server does on its side of a connection.
extension HTTP2Session {
  /// A stream gets its turns one after the other with the others, whatever priorities the client would like.
  package func shareFairly(_ stream: Int32) { ch2_share_fairly(session, stream) }

  /// Answers with a head as HTTP/1.1 has it, up to and with its empty line; names are put into lower case in it. After
  /// one that is final come bytes that are lent, unless it is `bare`.
  package func answer(_ stream: Int32, head: UnsafeMutableRawBufferPointer, bare: Bool) {
    guard let known = ch2_known(session, stream), let start = head.baseAddress else { return }
    let text = start.assumingMemoryBound(to: CChar.self)
    if ch2_answer(session, known, text, head.count, bare ? 1 : 0) != 0 { reset(stream, .internalError) }
  }

  /// The bytes of an answer that may be sent next, from where they lie. `ends`: nothing follows them.
  ///
  /// Lifetime: they stay in place until `takeBack`.
  package func lend(_ bytes: UnsafeRawBufferPointer, to stream: Int32, ends: Bool) {
    guard let known = ch2_known(session, stream) else { return }
    ch2_lend(session, known, bytes.baseAddress, bytes.count, ends ? 1 : 0)
  }

  /// Ends the loan: how many of the bytes have been sent, and whether the answer's end has been.
  package func takeBack(of stream: Int32) -> (count: Int, hasEnded: Bool) {
    guard let known = ch2_known(session, stream) else { return (0, false) }
    let count = known.pointee.offset
    let hasEnded = known.pointee.has_ended != 0
    ch2_lend(session, known, nil, 0, 0)
    return (count, hasEnded)
  }

  package enum Reason {
    case noError, internalError, refusedStream, cancel

    fileprivate var code: UInt32 {
      switch self {
      case .noError: NGHTTP2_NO_ERROR.rawValue
      case .internalError: NGHTTP2_INTERNAL_ERROR.rawValue
      case .refusedStream: NGHTTP2_REFUSED_STREAM.rawValue
      case .cancel: NGHTTP2_CANCEL.rawValue
      }
    }
  }

  /// Ends a stream at once (RFC 9113 §5.4.2).
  package func reset(_ stream: Int32, _ reason: Reason) {
    ch2_known(session, stream)?.pointee.is_forgotten = 1
    nghttp2_submit_rst_stream(
      session.pointee.session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, reason.code)
  }

  /// What has come of streams that the client gave up, and of frames that bring nothing, since this was last asked.
  package func takeNoise() -> (resets: Int, idleFrames: Int) {
    defer {
      session.pointee.resets = 0
      session.pointee.idle_frames = 0
    }
    return (session.pointee.resets, session.pointee.idle_frames)
  }

  /// Ends the connection of a client that asks for more than is its due (RFC 9113 §7, ENHANCE_YOUR_CALM).
  package func callForCalm() {
    nghttp2_session_terminate_session(session.pointee.session, NGHTTP2_ENHANCE_YOUR_CALM.rawValue)
  }

  /// Says that the connection will end soon, and takes further streams meanwhile (RFC 9113 §6.8).
  package func announceEnd() { nghttp2_submit_shutdown_notice(session.pointee.session) }

  /// Takes no further streams; those that there are go on.
  package func takeNoFurther() {
    let last = nghttp2_session_get_last_proc_stream_id(session.pointee.session)
    nghttp2_submit_goaway(
      session.pointee.session, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, NGHTTP2_NO_ERROR.rawValue, nil, 0)
  }
}
