internal import Base

/// What the first bytes of an answer's body say it is.
package enum BodyKind: Hashable, Sendable {
  /// An object or an array. No line of an event stream begins so.
  case json
  /// A field or a comment of an event stream (WHATWG HTML, 9.2.6).
  case events
  case other
  /// Blanks only, or the beginning of a field's name.
  case unknown

  package init(_ body: Span<UInt8>) {
    var start = body.hasPrefix("\u{FEFF}") ? 3 : 0
    while start < body.count, body[start] <= 32 { start += 1 }
    self = start == body.count ? .unknown : Self(unpadded: body.extracting(start..<body.count))
  }

  private init(unpadded body: Span<UInt8>) {
    switch body[0] {
    case UInt8(ascii: "{"), UInt8(ascii: "["): self = .json
    case UInt8(ascii: ":"): self = .events
    case UInt8(ascii: "d"): self = Self(body, "data:")
    case UInt8(ascii: "e"):
      self = body.count > 1 && body[1] == UInt8(ascii: "r") ? Self(body, "error:") : Self(body, "event:")
    case UInt8(ascii: "i"): self = Self(body, "id:")
    case UInt8(ascii: "r"): self = Self(body, "retry:")
    default: self = .other
    }
  }

  private init(_ body: Span<UInt8>, _ field: StaticString) {
    let common = min(body.count, field.utf8CodeUnitCount)
    for i in 0..<common where body[i] != field.utf8Start[i] {
      self = .other
      return
    }
    self = common == field.utf8CodeUnitCount ? .events : .unknown
  }
}
