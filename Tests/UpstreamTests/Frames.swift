import Glibc

/// HTTP/2 by hand (RFC 9113), so that a server can say whatever a test wants.
struct Frame {
  enum Kind {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let reset: UInt8 = 3
    static let settings: UInt8 = 4
    static let ping: UInt8 = 6
    static let goAway: UInt8 = 7
    static let windowUpdate: UInt8 = 8
    static let continuation: UInt8 = 9
  }
  static let endStream: UInt8 = 1
  static let ack: UInt8 = 1
  static let endHeaders: UInt8 = 4

  var kind: UInt8
  var flags: UInt8 = 0
  var stream: UInt32 = 0
  var payload: [UInt8] = []

  var bytes: [UInt8] {
    let length = UInt32(payload.count)
    return [UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), kind, flags]
      + Self.word(stream) + payload
  }

  var endsStream: Bool { flags & Self.endStream != 0 }

  static func word(_ value: UInt32) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
  }

  static func settings(_ values: [(UInt16, UInt32)] = []) -> Frame {
    let payload = values.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 255)] + word($0.1) }
    return Frame(kind: Kind.settings, payload: payload)
  }

  /// Fields as literals that are not indexed (RFC 7541 §6.2.2).
  static func headers(
    _ stream: UInt32, _ fields: [(String, String)], ends: Bool = false, flags: UInt8 = endHeaders
  ) -> Frame {
    Frame(
      kind: Kind.headers, flags: flags | (ends ? endStream : 0), stream: stream, payload: block(fields))
  }

  static func block(_ fields: [(String, String)]) -> [UInt8] {
    fields.flatMap { [0] + text($0.0) + text($0.1) }
  }

  /// RFC 7541 §5.1, §5.2, without Huffman's code.
  private static func text(_ text: String) -> [UInt8] {
    var length = text.utf8.count
    var bytes: [UInt8] = []
    if length < 127 {
      bytes.append(UInt8(length))
    } else {
      bytes.append(127)
      length -= 127
      while length >= 128 {
        bytes.append(UInt8(length & 127 | 128))
        length >>= 7
      }
      bytes.append(UInt8(length))
    }
    return bytes + Array(text.utf8)
  }

  static func data(_ stream: UInt32, _ text: String, ends: Bool = false) -> Frame {
    Frame(kind: Kind.data, flags: ends ? endStream : 0, stream: stream, payload: Array(text.utf8))
  }

  static func reset(_ stream: UInt32, _ code: UInt32) -> Frame {
    Frame(kind: Kind.reset, stream: stream, payload: word(code))
  }

  static func goAway(last: UInt32, _ code: UInt32 = 0) -> Frame {
    Frame(kind: Kind.goAway, payload: word(last) + word(code))
  }

  static func windowUpdate(_ stream: UInt32, _ bytes: UInt32) -> Frame {
    Frame(kind: Kind.windowUpdate, stream: stream, payload: word(bytes))
  }
}

extension Peer {
  /// Reads the client's preface and says hello; false: it does not speak HTTP/2.
  func greet(_ settings: [(UInt16, UInt32)] = []) -> Bool {
    guard let preface = take(24), preface == Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) else {
      return false
    }
    return send(Frame.settings(settings))
  }

  @discardableResult func send(_ frames: Frame...) -> Bool { send(frames.flatMap { $0.bytes }) }

  /// The next frame, whatever it is; settings are acknowledged and pings answered. nil: the connection has ended.
  func readFrame() -> Frame? {
    guard let head = take(9) else { return nil }
    let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
    guard let payload = take(length) else { return nil }
    let stream = UInt32(head[5]) << 24 | UInt32(head[6]) << 16 | UInt32(head[7]) << 8 | UInt32(head[8])
    let frame = Frame(kind: head[3], flags: head[4], stream: stream, payload: payload)
    if frame.flags & Frame.ack == 0 {
      if frame.kind == Frame.Kind.settings { send(Frame(kind: Frame.Kind.settings, flags: Frame.ack)) }
    }
    return frame
  }

  /// The next frame of that kind; others are passed over.
  func awaitFrame(_ kind: UInt8) -> Frame? {
    while let frame = readFrame() { if frame.kind == kind { return frame } }
    return nil
  }

  /// Reads until a request is whole: its stream and body. Those of several may come mixed.
  func readStream() -> (stream: UInt32, body: [UInt8])? {
    while let frame = readFrame() {
      switch frame.kind {
      case Frame.Kind.headers: bodies[frame.stream] = []
      case Frame.Kind.data: bodies[frame.stream, default: []] += frame.payload
      default: continue
      }
      if frame.endsStream { return (frame.stream, bodies.removeValue(forKey: frame.stream) ?? []) }
    }
    return nil
  }

  func answer(_ stream: UInt32, _ body: String, status: String = "200") {
    send(
      Frame.headers(stream, [(":status", status), ("content-type", "application/json")]),
      Frame.data(stream, body, ends: true))
  }
}
