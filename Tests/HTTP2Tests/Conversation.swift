import TestSupport

/// Frames as a peer might send them that knows HTTP/2 (RFC 9113) and means no good, or has lost its way.
struct Conversation {
  enum Kind {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let priority: UInt8 = 2
    static let reset: UInt8 = 3
    static let settings: UInt8 = 4
    static let push: UInt8 = 5
    static let ping: UInt8 = 6
    static let goAway: UInt8 = 7
    static let window: UInt8 = 8
    static let continuation: UInt8 = 9
  }
  /// Streams on which a server is asked something.
  static let asked: [UInt32] = (0..<24).map { $0 * 2 + 1 }
  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  var random: SeededRandom
  /// A server speaks: its heads are answers', to streams that the other side has begun.
  let isServer: Bool
  private var nextStream: UInt32 = 1
  /// Streams that take a body now; and, for a server, that have no answer yet.
  private var open: [UInt32] = []
  private var unanswered: [UInt32]
  /// The header table has a field of kilobytes, which one byte stands for.
  private var hasLargeField = false

  init(seed: Int, isServer: Bool) {
    unanswered = isServer ? Self.asked.reversed() : []
    random = SeededRandom(UInt64(seed) &* 104_729 &+ (isServer ? 7 : 3))
    self.isServer = isServer
  }

  static func frame(_ kind: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
    let length = UInt32(payload.count)
    return [UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), kind, flags]
      + word(stream) + payload
  }

  static func word(_ value: UInt32) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
  }

  /// A field as a literal, indexed or not (RFC 7541 §6.2).
  static func field(_ name: String, _ value: [UInt8], isIndexed: Bool = false) -> [UInt8] {
    var length = [UInt8(min(value.count, 127))]
    if value.count >= 127 {
      let rest = value.count - 127
      length += rest < 128 ? [UInt8(rest)] : [UInt8(rest & 127 | 128), UInt8(rest >> 7)]
    }
    return [isIndexed ? 0x40 : 0, UInt8(name.utf8.count)] + Array(name.utf8) + length + value
  }

  /// The whole of what is said: `count` frames, and now and then a few bytes of them changed.
  mutating func bytes(_ count: Int) -> [UInt8] {
    var said = isServer ? [] : Self.preface
    said += Self.frame(Kind.settings, 0, 0, [])
    let start = said.count
    for _ in 0..<count { said += next() }
    if random.below(3) == 0 {
      for _ in 0...random.below(6) {
        let at = start + random.below(said.count - start)
        switch random.below(4) {
        case 0: said[at] = UInt8(random.below(256))
        case 1: said.insert(UInt8(random.below(256)), at: at)
        case 2: said.remove(at: at)
        default: said.removeSubrange(at..<min(said.count, at + random.below(40)))
        }
      }
    }
    return said
  }

  /// A stream that takes a body, if there is one; or any.
  private mutating func stream() -> UInt32 {
    if open.isEmpty || random.below(60) == 0 { return [0, 1, 2, nextStream, 0x7fff_ffff][random.below(5)] }
    return open[random.below(open.count)]
  }

  private mutating func noise(_ most: Int) -> [UInt8] {
    (0..<random.below(most + 1)).map { _ in UInt8(random.below(256)) }
  }

  private mutating func next() -> [UInt8] {
    if random.below(120) == 0 { return wild() }
    switch random.below(16) {
    case 0...6: return head()
    case 7...10: return open.isEmpty ? head() : data()
    case 11:
      let to = stream()
      open.removeAll { $0 == to }
      return Self.frame(Kind.reset, 0, to, Self.word(UInt32(random.below(15))))
    case 12: return Self.frame(Kind.ping, UInt8(random.below(2)), 0, [1, 2, 3, 4, 5, 6, 7, 8])
    case 13:
      let (id, values): (UInt8, [UInt32]) =
        [
          (1, [0, 99, 4096]), (3, [0, 1, 100]), (4, [0, 99, 65535]), (5, [16384, 99_999]), (6, [1, 99_999]),
          (77, [1]),
        ][
          random.below(6)]
      return Self.frame(Kind.settings, 0, 0, [0, id] + Self.word(values[random.below(values.count)]))
    case 14:
      return Self.frame(
        Kind.window, 0, random.below(2) == 0 ? 0 : stream(), Self.word(UInt32(1 + random.below(999))))
    default:
      return random.below(2) == 0
        ? Self.frame(Kind.priority, 0, stream(), Self.word(0) + [1])
        : Self.frame(UInt8(10 + random.below(240)), UInt8(random.below(256)), stream(), noise(40))
    }
  }

  private mutating func data() -> [UInt8] {
    let (to, ends) = (stream(), random.below(3) == 0)
    let padding = random.below(5) == 0 ? 1 + random.below(8) : 0
    var payload = [UInt8](repeating: 0x78, count: random.below(600))
    if padding > 0 { payload = [UInt8(padding)] + payload + [UInt8](repeating: 0, count: padding) }
    if ends { open.removeAll { $0 == to } }
    return Self.frame(Kind.data, (ends ? 1 : 0) | (padding > 0 ? 8 : 0), to, payload)
  }

  /// What a connection does not live on with, mostly.
  private mutating func wild() -> [UInt8] {
    switch random.below(8) {
    case 0: return Self.frame(Kind.goAway, 0, 0, Self.word(stream()) + Self.word(0) + noise(9))
    case 1: return Self.frame(Kind.push, 4, stream(), Self.word(2) + noise(20))
    case 2: return Self.frame(Kind.continuation, 4, stream(), noise(20))
    case 3: return Self.frame(Kind.settings, 0, 0, [0, UInt8(random.below(9))] + Self.word(0xffff_ffff))
    case 4: return Self.frame(Kind.window, 0, stream(), Self.word([0, 0x7fff_ffff][random.below(2)]))
    case 5: return Self.frame(Kind.headers, 5, nextStream, noise(40))
    default: return Self.frame(UInt8(random.below(12)), UInt8(random.below(256)), stream(), noise(60))
    }
  }

  /// A head, in one frame or several: well-formed most of the time, sometimes many kilobytes by a few bytes.
  private mutating func head() -> [UInt8] {
    var block: [UInt8] = []
    var to = nextStream
    var ends = random.below(2) == 0
    if isServer {
      guard let stream = unanswered.last else { return open.isEmpty ? [] : trailers() }
      to = stream
      let isInterim = random.below(3) == 0
      block += Self.field(
        ":status", Array((isInterim ? ["100", "103"] : ["200", "404"])[random.below(2)].utf8))
      if isInterim { ends = false } else { unanswered.removeLast() }
      if !isInterim, !ends { open.append(to) }
    } else {
      for (name, value) in [
        (":method", "POST"), (":scheme", "http"), (":path", "/v1/x"), (":authority", "a"),
      ] {
        if random.below(100) > 0 { block += Self.field(name, Array(value.utf8)) }
      }
      nextStream += 2
      if !ends { open.append(to) }
    }
    if !hasLargeField, random.below(4) == 0 {
      hasLargeField = true
      block += Self.field("x", [UInt8](repeating: 0x79, count: 4000), isIndexed: true)
    } else if hasLargeField, random.below(2) == 0 {
      block += [UInt8](repeating: 0xbe, count: random.below(12))
    }
    if random.below(20) == 0 {
      block += Self.field(["content-length", "X", "te"][random.below(3)], noise(3))
    }
    return frames(of: block, to, ends)
  }

  private mutating func trailers() -> [UInt8] {
    let to = open.removeFirst()
    return frames(of: Self.field("x-end", [0x79]), to, true)
  }

  private mutating func frames(of block: [UInt8], _ to: UInt32, _ ends: Bool) -> [UInt8] {
    let flags: UInt8 = ends ? 1 : 0
    if random.below(4) > 0 { return Self.frame(Kind.headers, flags | 4, to, block) }
    let cut = random.below(block.count + 1)
    return Self.frame(Kind.headers, flags, to, Array(block[..<cut]))
      + Self.frame(Kind.continuation, 4, to, Array(block[cut...]))
  }
}
