internal import Base
internal import Wire

/// The vectors that the mock makes of inputs: equal inputs have equal ones, and others others.
struct MockEmbeddings: ~Copyable {
  /// The elements of `data`.
  private(set) var elements = ByteBuffer()
  private(set) var tokens: Int64 = 0
  private var count = 0

  private static let usualDimensions: Quantity = 8
  private static let mostDimensions: Quantity = 4096
  /// Bytes of text for a token.
  private static let bytesPerToken: Int64 = 4

  mutating func removeAll() {
    elements.removeAll()
    tokens = 0
    count = 0
  }

  /// Reads a request's `input`: a text, a list of tokens, or a list of either.
  mutating func read(_ body: Span<UInt8>, _ probe: borrowing JSONProbe) {
    guard let input = probe.value(of: "input", in: body) else { return }
    let format = probe.value(of: "encoding_format", in: body)
    let isBase64 = format.map { body.jsonEquals($0, "base64") } ?? false
    let wanted = probe.value(of: "dimensions", in: body).flatMap { body.jsonQuantity($0) }
    let dimensions = Int(min(wanted ?? Self.usualDimensions, Self.mostDimensions).value)
    var cursor = JSONCursor(input)
    guard let first = cursor.next(body), first.kind != .number else {
      add(body.extracting(input.value), dimensions, isBase64)
      return
    }
    add(body.extracting(first.value), dimensions, isBase64)
    while let next = cursor.next(body) { add(body.extracting(next.value), dimensions, isBase64) }
  }

  private mutating func add(_ input: Span<UInt8>, _ dimensions: Int, _ isBase64: Bool) {
    if count > 0 { elements.append(",") }
    elements.append("{\"object\":\"embedding\",\"index\":")
    elements.append(decimal: count)
    elements.append(",\"embedding\":")
    count += 1
    tokens += (Int64(input.count) + Self.bytesPerToken - 1) / Self.bytesPerToken
    if isBase64 { addBase64(input, dimensions) } else { addNumbers(input, dimensions) }
    elements.append("}")
  }

  /// Eighths, so that they are the same however they are written.
  private mutating func addNumbers(_ input: Span<UInt8>, _ dimensions: Int) {
    var source = MockNumbers(input)
    elements.append("[")
    for n in 0..<dimensions {
      if n > 0 { elements.append(",") }
      let eighths = source.next()
      if eighths < 0 { elements.append("-") }
      elements.append(decimal: Int(eighths.magnitude / 8))
      let thousandths = Int(eighths.magnitude % 8) * 125
      elements.append(thousandths == 0 ? ".0" : thousandths < 100 ? ".0" : ".")
      if thousandths > 0 { elements.append(decimal: thousandths) }
    }
    elements.append("]")
  }

  /// IEEE 754, 32 bits each, the lowest byte first, as OpenAI has it.
  private mutating func addBase64(_ input: Span<UInt8>, _ dimensions: Int) {
    var source = MockNumbers(input)
    var bytes: [UInt8] = []
    for _ in 0..<dimensions {
      let bits = (Float(source.next()) / 8).bitPattern
      for shift in stride(from: UInt32(0), to: 32, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: bits >> shift))
      }
    }
    elements.append("\"")
    elements.append(Base64.encode(bytes.span))
    elements.append("\"")
  }
}

/// Numbers that an input is turned into (SplitMix64, seeded by a hash of the input).
private struct MockNumbers {
  private var state: UInt64

  init(_ input: Span<UInt8>) {
    var hash = KeyedHash(key: KeyedHash.Key(first: 0, second: 0))
    hash.absorb(input)
    state = hash.finish().low
  }

  mutating func next() -> Int8 {
    state &+= 0x9e37_79b9_7f4a_7c15
    let mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
    return Int8(truncatingIfNeeded: mixed >> 56)
  }
}
