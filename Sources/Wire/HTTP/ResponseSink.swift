package import Base

/// The way out for a client's answers, one after another: each has a head, a body as it comes, and an end, or is cut. It
/// frames them, so that whoever writes an answer knows nothing of chunks and connections.
///
/// What it writes is HTTP/1.1 (RFC 9112 §6.3, §7.1). Over HTTP/2 there are neither chunks nor a connection's end: frames
/// are made of what stands in `output`, and tell the body's end themselves.
package final class ResponseSink {
  private enum Framing {
    /// The body as it is: its length was told, or frames tell it.
    case bare
    /// A chunk for each piece.
    case chunked
    /// The body as it is; only the connection's end tells its own (RFC 9112 §6.3, rule 8).
    case untilClose
  }

  package let output: WriteBuffer
  private var framing = Framing.bare
  private var version = HTTPVersion.http11
  /// The answer ends before its time. Its client is to see that.
  package private(set) var isCut = false

  private static let lineEnd: StaticString = "\r\n"
  private static let lastChunk: StaticString = "0\r\n\r\n"
  private static let interim: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

  package init(_ output: WriteBuffer) { self.output = output }

  // MARK: - The head

  /// Begins an answer, and says in its head how its body ends: by its length, where that is known; else by chunks,
  /// where the client knows them; else by the connection's end.
  ///
  /// - Parameters:
  ///   - version: the request's.
  ///   - hasBody: false: by its status or its method there is none (RFC 9112 §6.3), though a length may be told.
  package func begin(
    _ version: HTTPVersion, length: Int64?, hasBody: Bool = true, in head: inout ByteBuffer
  ) {
    self.version = version
    isCut = false
    framing = .bare
    if let length {
      head.appendField("Content-Length", decimal: length)
    } else if hasBody {
      switch version {
      case .http2: break
      case .http11:
        framing = .chunked
        head.appendField("Transfer-Encoding", "chunked")
      case .http10: framing = .untilClose
      }
    }
  }

  /// What follows the head is no longer HTTP (101, RFC 9110 §15.2.2).
  package func switchProtocols() {
    isCut = false
    framing = .untilClose
  }

  /// Ends a head. `goesOn`: as far as its writer is concerned the connection has further answers. HTTP/2 has no words
  /// for that (RFC 9113 §8.2.2).
  package func endHead(_ head: inout ByteBuffer, goesOn: Bool) {
    if version != .http2 {
      if !goesOn || endsConnection {
        head.appendField("Connection", "close")
      } else if version == .http10 {
        head.appendField("Connection", "keep-alive")
      }
    }
    head.appendHeadEnd()
  }

  /// No other answer can follow this one on its connection.
  package var endsConnection: Bool { isCut || framing == .untilClose }

  // MARK: - The body

  /// Sends what stands in `head`, which is empty afterwards, and two pieces of the body behind it: in one go.
  ///
  /// Little is copied behind the head: the kernel needs no list then. `isLast`: `end` or `cut` follows in this turn.
  package func send(
    _ head: inout ByteBuffer, _ piece: UnsafeRawBufferPointer, _ next: UnsafeRawBufferPointer = .none,
    isLast: Bool = false
  ) {
    let count = piece.count + next.count
    let isChunk = framing == .chunked && count > 0
    if head.isEmpty, !isChunk {
      output.write(piece, next)
      return
    }
    if isChunk { head.appendChunkStart(count) }
    if count <= Limits.copiedPiece {
      head.append(piece)
      head.append(next)
      if isChunk { head.appendChunkEnd() }
      output.write(head.unsafeBytes, goesOn: isChunk && isLast)
    } else {
      // Lifetime: a StaticString's bytes are always there.
      output.write(
        head.unsafeBytes, piece, next,
        UnsafeRawBufferPointer(
          start: Self.lineEnd.utf8Start, count: isChunk ? Self.lineEnd.utf8CodeUnitCount : 0),
        goesOn: isChunk && isLast)
    }
    head.removeAll()
  }

  package func send(_ head: inout ByteBuffer, _ piece: Span<UInt8>) {
    // Lifetime: the pointer is to the caller's bytes, during the call.
    piece.withUnsafeBufferPointer { send(&head, UnsafeRawBufferPointer($0)) }
  }

  /// The whole body has been sent.
  package func end() {
    if framing == .chunked { output.write(Self.lastChunk) }
  }

  /// The body breaks off: a reset over HTTP/2 (RFC 9113 §8.1), else the connection's end without the body's.
  package func cut() { isCut = true }

  /// The client may send its body (RFC 9110 §10.1.1).
  package func goOn() { output.write(Self.interim) }

  // MARK: - Its client

  /// The client is behind with reading: nothing more should be sent for now.
  package var isBlocked: Bool { output.isBlocked }
  /// The client is gone.
  package var isBroken: Bool { output.isBroken }
  /// Something that was sent never reached the client's connection.
  package var hasDropped: Bool { output.hasDropped }
}
