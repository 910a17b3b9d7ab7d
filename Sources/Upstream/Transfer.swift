package import Base
package import Transport

/// Names one transfer: a place and the number of its use, so that an old name never meets a new transfer.
package struct TransferID: Hashable, Sendable {
  let slot: UInt32
  let generation: UInt32
}

/// Names a prepared target.
package struct TargetID: Hashable, Sendable {
  let index: Int32
}

/// Groups the transfers of one exchange of which only one may send its request. The caller picks the number
/// (the exchange's own); it must not be in use by another group.
package struct RaceID: Hashable, Sendable {
  package let number: UInt64
  package init(_ number: UInt64) { self.number = number }
}

/// Which HTTP a target is spoken to in.
package enum HTTPVersions: Sendable {
  /// HTTP/2 where the server offers it (ALPN), else HTTP/1.1; in the clear HTTP/1.1.
  case offered
  case http1
  /// HTTP/2 and nothing else; in the clear without being asked (RFC 9113 §3.3, prior knowledge).
  case http2
}

/// Where requests go: what stays the same over many transfers to one endpoint of one provider with one key.
package struct TransferTarget: Hashable, Sendable {
  /// The whole URL, `http` or `https`.
  package var url: String
  /// The path of the socket that the server listens on (unix(7)), where it is reached over one.
  package var socket: String?
  /// Complete field lines without line ends, `Authorization: Bearer …`.
  package var headerLines: [String] = []
  /// URL of a proxy; nil for none. The environment's proxy variables are never looked at.
  package var proxy: String?
  /// How an `https` connection is secured: without authorities of its own, by the process' (`UpstreamSettings`).
  package var tls = TLSSettings()
  /// The name to ask for and that the certificate must have, where it is not the URL's host.
  package var serverName: String?
  package var versions = HTTPVersions.offered
  /// Bounds name look-up, connection and TLS handshake together.
  package var connectTimeout = Interval.seconds(5)

  /// - Parameter url: also as nginx spells a server on a socket, `http://unix:PATH:/v1/models`.
  package init(url: String, headerLines: [String] = []) {
    self.url = url
    self.headerLines = headerLines
    let scheme = "http://unix:"
    guard url.hasPrefix(scheme) else { return }
    let rest = url.utf8.dropFirst(scheme.utf8.count)
    let colon = rest.firstIndex(of: UInt8(ascii: ":")) ?? rest.endIndex
    socket = String(rest[..<colon])
    self.url = "http://localhost" + (String(rest[colon...].dropFirst()) ?? "")
  }
}

package enum TransferMethod: Sendable { case get, post, delete }

/// One request to a target.
package struct TransferRequest: Sendable {
  package var target: TargetID
  package var method = TransferMethod.post
  /// A transfer of a race is given up just before its request is sent if another one got there first.
  package var race: RaceID?
  /// No pooled connection, where the last one turned out to be dead.
  package var needsFreshConnection = false
  /// An answer without a Content-Type is watched as an event stream. One that says `text/event-stream`
  /// always is.
  package var expectsEventStream = false
  /// Bytes of the answer that are held back before `commit`.
  package var holds = Limits.held
  /// Nothing of the answer's body is looked at.
  package var isOpaque = false
  /// Given back with every event of the transfer.
  package var tag: UInt64 = 0

  package init(target: TargetID) { self.target = target }
}

/// How body bytes are laid out on the client's connection.
package enum RelayFraming: Sendable {
  /// As they are: the head gave their length, or closing the connection ends them.
  case identity
  /// RFC 9112 §7.1, one chunk for each write. The caller writes the last chunk when the transfer has ended.
  case chunked
}

/// What happened to a transfer. Past facts, in the order in which they came.
package struct TransferEvent: Sendable {
  package enum Fact: Sendable {
    /// The connection is ready and the request goes out next.
    case connected(isReused: Bool)
    /// The final response head is complete; `withHead` has it. Interim (1xx) heads are not reported.
    case head(status: Int)
    /// The event stream has shown its first content, or an error. Held back until `commit`.
    case content
    /// As many bytes as the request said wait for a decision and the transfer is paused until `commit` or `cancel`.
    case heldFull
    /// The outlet has not taken everything: it wants to be watched for room. Told once until `resume`.
    case blocked
    /// Bytes were recorded that followers have not had. Told once a turn.
    case recorded
    /// The connection has taken most of what `feed` was given: there is room for more.
    case roomy
    /// Nothing comes after it. The slot, its head and its held bytes stay until `cancel`.
    case ended(TransferOutcome)
  }
  package let transfer: TransferID
  package let tag: UInt64
  package let fact: Fact
}

/// Figures of one transfer as it stands.
package struct TransferProgress: Sendable {
  package var openedAt: Instant
  package var connectedAt: Instant?
  package var firstByteAt: Instant?
  package var firstContentAt: Instant?
  /// The last content of an event stream; for other answers the last body byte.
  package var lastContentAt: Instant?
  /// Body bytes taken from the provider.
  package var received: UInt64
  /// Body bytes handed to the outlet, without framing.
  package var forwarded: UInt64
  package var isPaused: Bool
  package var isReused: Bool
  package var isEventStream: Bool
}
