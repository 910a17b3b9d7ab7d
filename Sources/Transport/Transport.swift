internal import Base
package import CLinux
internal import COpenSSL

/// A byte stream on a connected, non-blocking socket: in the clear, or TLS.
///
/// Nothing blocks, and nothing is kept back: after `receive` no whole record waits in OpenSSL, so that the poller's
/// word on the socket is the whole truth; and what `send` counts has been given to the kernel. The descriptor stays
/// its owner's, who closes it.
///
/// Frozen: its deinit has to be known where its owners are.
@frozen @usableFromInline package struct Transport: ~Copyable {
  package enum Handshake: Equatable, Sendable {
    case done, wantsRead, wantsWrite
    case failed(TLSFault)
  }

  /// Why nothing more can be read.
  package enum End: Equatable, Sendable {
    /// The other side has said that it is done.
    case closed
    /// The connection's end came without that, which TLS wants said (RFC 8446 §6.1): anyone on the way may have
    /// cut it off.
    case cutOff
    /// The socket failed: an errno.
    case failed(Int32)
    case broken(TLSFault)
  }

  package struct Received {
    package var count: Int
    /// What came behind the bytes; nil: nothing yet.
    package var end: End?
  }

  package enum Sent {
    case bytes(Int)
    /// The same bytes must come again.
    case wouldBlock
    case failed(Int32)
  }

  @usableFromInline package let descriptor: Int32
  // Lifetime: ours, freed in deinit. Its socket's side (`cssl_wire`) is freed with it.
  @usableFromInline let ssl: OpaquePointer?
  @usableFromInline let peer: TLSPeer?
  /// Bytes may be sent: always in the clear, else after the handshake.
  @usableFromInline package private(set) var isReady: Bool

  /// In the clear.
  package init(plain descriptor: Int32) {
    self.descriptor = descriptor
    ssl = nil
    peer = nil
    isReady = true
  }

  /// TLS, the client's side. `shakeHands` has to be called until it is done.
  package init(_ descriptor: Int32, to peer: TLSPeer) throws(TLSFault) {
    ssl = try peer.open(descriptor)
    self.descriptor = descriptor
    self.peer = peer
    isReady = false
  }

  /// TLS, the server's side. `shakeHands` has to be called until it is done.
  package init(_ descriptor: Int32, as identity: TLSIdentity) throws(TLSFault) {
    ssl = try identity.open(descriptor)
    self.descriptor = descriptor
    peer = nil
    isReady = false
  }

  deinit { SSL_free(ssl) }

  /// Keeps OpenSSL's blocks out of malloc's heap. Call it before OpenSSL is first used: later it is not possible.
  package static func useSlabs() {
    if linux_slabs_begin() {
      _ = CRYPTO_set_mem_functions(linux_slab_allocate, linux_slab_reallocate, linux_slab_free)
    }
  }

  /// Lets OpenSSL make the tables that all contexts share, 0.25 MB in 1.4 ms: the first connection need not wait for
  /// them, nor do they come to lie among what a first burst leaves.
  package static func prepareTLS() { SSL_CTX_free(cssl_client_context(1, Limits.connectionRead)) }

  package var isSecure: Bool { ssl != nil }
  /// HTTP/2 was agreed on (RFC 9113 §3.3).
  package var speaksHTTP2: Bool { ssl.map { cssl_agreed_on_http2($0) == 1 } ?? false }
  /// Whose certificate is asked for; empty in the clear.
  package var peerName: String { peer?.name ?? "" }
  /// The handshake was a short one, by a ticket.
  package var isResumed: Bool { ssl.map { SSL_session_reused($0) == 1 } ?? false }

  /// TLS: bytes that the socket has taken, as they are on the way.
  package var sealedBytes: UInt64 { ssl.map { cssl_wire($0).pointee.sent } ?? 0 }

  /// Goes on with the handshake, as far as the socket lets it.
  package mutating func shakeHands() -> Handshake {
    guard let ssl, !isReady else { return .done }
    switch cssl_shake_hands(ssl) {
    case cssl_done:
      isReady = true
      return .done
    case cssl_wants_read: return .wantsRead
    case cssl_wants_write: return .wantsWrite
    default:
      // A server that chokes on a ticket must not be offered the next one.
      peer?.forgetSessions()
      return .failed(TLSFault.take(ssl))
    }
  }

  /// Reads from the socket once. `room`: for `Limits.connectionRead` bytes at least, which are more than the largest
  /// record of TLS.
  package func receive(into room: UnsafeMutableRawBufferPointer) -> Received {
    guard let ssl else { return receivePlain(into: room) }
    var outcome = cssl_done
    // Lifetime: OpenSSL writes into the room during the call.
    let count = cssl_receive(ssl, room.baseAddress, room.count, &outcome)
    switch outcome {
    case cssl_closed: return Received(count: count, end: .closed)
    case cssl_failed:
      switch TLSFault.take(ssl) {
      case .closed: return Received(count: count, end: .cutOff)
      case .system(let error): return Received(count: count, end: .failed(error))
      case let fault: return Received(count: count, end: .broken(fault))
      }
    default: return Received(count: count, end: nil)
    }
  }

  private func receivePlain(into room: UnsafeMutableRawBufferPointer) -> Received {
    while true {
      // Lifetime: recv writes into the room during the call.
      let count = recv(descriptor, room.baseAddress, room.count, Int32(MSG_DONTWAIT))
      if count > 0 { return Received(count: count, end: nil) }
      if count == 0 { return Received(count: 0, end: .closed) }
      switch linux_errno() {
      case EINTR: continue
      case EAGAIN: return Received(count: 0, end: nil)
      case let error: return Received(count: 0, end: .failed(error))
      }
    }
  }

  /// Sends what the socket takes at once, at most one record where it is TLS. Lifetime: the pieces are read during
  /// the call only.
  package func send(_ pieces: UnsafeBufferPointer<iovec>) -> Sent {
    guard let ssl else { return sendPlain(pieces) }
    guard let first = pieces.first else { return .bytes(0) }
    if pieces.count == 1 || first.iov_len >= Self.record {
      return Self.send(UnsafeRawBufferPointer(start: first.iov_base, count: first.iov_len), ssl)
    }
    // A record for each piece would be a send(2) for each.
    return withUnsafeTemporaryAllocation(byteCount: Self.record, alignment: 16) { gathered in
      let count = Self.copy(pieces, into: gathered)
      return Self.send(UnsafeRawBufferPointer(rebasing: gathered[..<count]), ssl)
    }
  }

  /// Copies as many of the pieces' bytes as there is room for.
  private static func copy(
    _ pieces: UnsafeBufferPointer<iovec>, into room: UnsafeMutableRawBufferPointer
  ) -> Int {
    // Lifetime: both are the caller's, for the call.
    var count = 0
    for piece in pieces where count < room.count {
      let length = min(piece.iov_len, room.count - count)
      if length > 0 { memcpy(room.baseAddress! + count, piece.iov_base, length) }
      count += length
    }
    return count
  }

  /// Bytes in a record (RFC 8446 §5.1).
  private static let record = 1 << 14

  private static func send(_ bytes: UnsafeRawBufferPointer, _ ssl: OpaquePointer) -> Sent {
    var sent = 0
    switch cssl_send(ssl, bytes.baseAddress, bytes.count, &sent) {
    case cssl_done: return .bytes(sent)
    case cssl_wants_read, cssl_wants_write: return .wouldBlock
    default:
      if case .system(let error) = TLSFault.take(ssl) { return .failed(error) }
      return .failed(EPROTO)
    }
  }

  private func sendPlain(_ pieces: UnsafeBufferPointer<iovec>) -> Sent {
    var total = 0
    for piece in pieces { total += piece.iov_len }
    var message = msghdr()
    message.msg_iov = UnsafeMutablePointer(mutating: pieces.baseAddress)
    message.msg_iovlen = pieces.count
    let flags = Int32(MSG_NOSIGNAL | MSG_DONTWAIT)
    while true {
      let sent =
        total > Limits.copiedPiece
        ? sendmsg(descriptor, &message, flags)
        : withUnsafeTemporaryAllocation(byteCount: Limits.copiedPiece, alignment: 16) { gathered in
          CLinux.send(descriptor, gathered.baseAddress, Self.copy(pieces, into: gathered), flags)
        }
      if sent >= 0 { return .bytes(sent) }
      switch linux_errno() {
      case EINTR: continue
      case EAGAIN: return .wouldBlock
      case let error: return .failed(error)
      }
    }
  }

  /// Keeps what a later connection to the same server can resume from, once bytes have come.
  package func keepSession() {
    if let ssl, let peer, isReady { peer.keepSession(of: ssl) }
  }

  /// Nothing more will be sent; the descriptor is closed next.
  package func sayGoodbye() {
    if let ssl, isReady { cssl_say_goodbye(ssl) }
  }
}
