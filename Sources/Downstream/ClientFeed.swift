internal import Base
internal import Exchange
internal import Kernel
internal import Wire

/// A client's bytes that are passed on as they come: where they end, and how they are told from their framing.
package struct ClientFeed {
  private enum Rest {
    case length(Int)
    case chunked(ChunkedDecoder)
    /// Up to its stream's end, which is told when it has come (RFC 9113 §8.1).
    case stream
    /// A protocol of its own, up to the connection's end.
    case tunnel
  }
  private var rest: Rest
  /// Of a stream: nothing comes behind what is here.
  package private(set) var isWhole = false
  /// The client's connection has come to its end.
  package var hasEnded = false
  /// Bytes that were passed on.
  package private(set) var bytes: UInt64 = 0

  init(_ framing: BodyFraming) {
    switch framing {
    case .none: rest = .length(0)
    case .length(let length): rest = .length(length)
    case .chunked: rest = .chunked(ChunkedDecoder(limit: .max))
    }
  }

  private init(_ rest: Rest) { self.rest = rest }

  static func stream() -> ClientFeed { ClientFeed(.stream) }
  static func tunnel() -> ClientFeed { ClientFeed(.tunnel) }

  /// A stream's end has come.
  mutating func end() { if case .stream = rest { isWhole = true } }

  /// All of it was passed on.
  package var isOver: Bool {
    switch rest {
    case .length(let left): left == 0
    case .chunked(let decoder): decoder.isFinished
    case .stream, .tunnel: false
    }
  }

  /// The next piece of what is passed on, at most `most` bytes, and how many bytes it takes to have read it. Empty: more
  /// has to come. nil: these are no chunks.
  package mutating func next(_ inbound: Span<UInt8>, most: Int) -> (piece: Range<Int>, taken: Int)? {
    let reach = min(inbound.count, most)
    var at = reach
    var piece = 0..<reach
    switch rest {
    case .length(let left):
      piece = 0..<min(reach, left)
      at = piece.upperBound
      rest = .length(left - at)
    case .chunked(var decoder):
      at = 0
      guard let found = decoder.nextData(inbound.extracting(0..<reach), &at) else { return nil }
      piece = found
      rest = .chunked(decoder)
    case .stream: if isWhole, reach == inbound.count { rest = .length(0) }
    case .tunnel: break
    }
    bytes &+= UInt64(piece.count)
    return (piece, at)
  }
}

// Bodies that are passed on: read as there is room for them behind, and not into `limits.memory`.
extension Downstream {
  /// The head of a request has come whose body is passed on: whoever answers takes it from here.
  func startFeed(_ connection: Connection) {
    connection.requestLength = connection.parser.head.headLength
    let framing = connection.parser.head.framing
    connection.feed =
      connection.access.isUpgrade
      ? .tunnel() : connection.lane != nil && framing == .chunked ? .stream() : ClientFeed(framing)
    complete(connection)
  }

  /// Reads once. What nobody has taken yet is left to the kernel.
  func readFeed(_ connection: Connection) {
    guard connection.inbound.count < Limits.passing else {
      watch(connection, connection.interest.subtracting(.read))
      return
    }
    switch receive(connection, room: Limits.passing) {
    case .received:
      if connection.hasSaidAll { endFeed(connection) }
      events.append(.fed(connection.id))
    case .wouldBlock: break
    case .endOfStream:
      endFeed(connection)
      events.append(.fed(connection.id))
    case .reset: close(connection)
    }
  }

  private func endFeed(_ connection: Connection) {
    connection.feed?.hasEnded = true
    connection.isHalfClosed = true
    watch(connection, connection.interest.subtracting([.read, .peerClosed]))
  }

  /// Reads on, or not, as there is room.
  package func watchFeed(_ connection: Connection) {
    if connection.isHalfClosed { return }
    if connection.lane != nil { return giveBack(connection) }
    if connection.feed == nil {
      watch(connection, connection.interest.union([.read, .peerClosed]))
    } else if connection.inbound.count < Limits.passing {
      watch(connection, connection.interest.union(.read))
    } else {
      watch(connection, connection.interest.subtracting(.read))
    }
  }
}
