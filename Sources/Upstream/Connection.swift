internal import Base
internal import HTTP2
internal import Transport

/// A connection to a provider, from the moment it is wanted until it is closed.
final class Connection {
  enum Stage {
    /// libcurl makes it.
    case dialling(Dial)
    /// The TLS handshake is under way.
    case securing
    /// One transfer at a time.
    case http1
    /// As many transfers as there are streams.
    case http2(HTTP2Session)
    case closed
  }

  let target: Target
  var host: Int32 { target.host }
  var stage: Stage
  /// Transfers that wait for it to stand.
  var waiting: [TransferID] = []

  // While it is made.
  let openedAt: Instant
  /// How long it took to be made, and until the TLS handshake was done.
  var connectTime = Interval.zero
  var handshakeTime = Interval.zero

  // Once it stands.
  var transport = Transport(plain: -1)
  var descriptor: Int32 { transport.descriptor }
  /// What was read behind the last byte; nil: it goes on.
  var end: Transport.End?
  /// The transfer that uses it; nil: none does, or (HTTP/2) several.
  var rider: TransferID?
  var idleSince = Instant.distantPast

  // HTTP/2.
  /// It takes no further streams.
  var isClosing = false
  /// Bytes that the socket has not taken.
  var outbox = ByteBuffer()
  private var plainBytes: UInt64 = 0
  /// Something may have to be sent when the turn is over.
  var isDirty = false
  /// When the other side was last heard, and when it was asked whether it is there; nil: it was not, since then.
  var heardAt = Instant.distantPast
  var pingedAt: Instant?

  init(_ target: Target, _ stage: Stage, now: Instant) {
    self.target = target
    self.stage = stage
    openedAt = now
  }

  /// The socket has taken bytes of the outbox.
  func took(_ count: Int) {
    outbox.consume(count)
    plainBytes &+= UInt64(count)
  }

  /// HTTP/2: bytes that the socket has taken, as they are on the way.
  var sentBytes: UInt64 { transport.isSecure ? transport.sealedBytes : plainBytes }

  /// When it will have taken too long to be made.
  var due: Instant { openedAt + target.spec.connectTimeout }

  /// A further stream may be begun on it.
  var hasRoom: Bool {
    guard case .http2(let session) = stage, !isClosing, session.takesStreams else { return false }
    return session.streamCount < min(session.mostStreams, Limits.streamsPerConnection)
  }

  /// When its silence is to be looked at.
  var pingDue: Instant {
    pingedAt.map { $0 + Limits.pongTime } ?? heardAt + Limits.pingAfter
  }
}
