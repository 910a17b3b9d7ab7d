import Base
import Testing

@testable import Wire

/// The scans that take 16 bytes at a time, against a reader of single bytes: every byte, at every place.
@Suite struct ScanTests {
  /// Plain texts around one byte of interest, with `behind` further bytes after the scanned ones.
  private func texts(_ body: (_ text: [UInt8], _ end: Int) -> Void) {
    for behind in [0, 1, 20] {
      for end in [1, 7, 15, 16, 17, 31, 33] {
        for place in 0..<end {
          for byte in UInt8.min...UInt8.max {
            var text = [UInt8](repeating: UInt8(ascii: "a"), count: end + behind)
            text[place] = byte
            // What stands behind does not count.
            if behind > 0 { text[end] = 0 }
            body(text, end)
          }
        }
      }
    }
  }

  @Test func valuesOfFieldsAreReadToTheirEnd() {
    texts { text, end in
      let isContent = text[..<end].allSatisfy { $0 == 9 || $0 >= 32 && $0 != 127 }
      if text.span.isFieldContent(0..<end) != isContent { Issue.record("\(text) to \(end)") }
    }
  }

  @Test func tokensEndWhereTheirBytesDo() {
    texts { text, end in
      let place = text[..<end].firstIndex { !ASCIISet.token.contains($0) } ?? end
      if text.span.endOfToken(from: 0, upTo: end) != place { Issue.record("\(text) to \(end)") }
    }
  }

  @Test func hostsEndWhereTheirBytesDo() {
    texts { text, end in
      let place = text[..<end].firstIndex { !ASCIISet.host.contains($0) } ?? end
      if text.span.endOfHost(from: 0, upTo: end) != place { Issue.record("\(text) to \(end)") }
    }
  }

  @Test func targetsAreVisible() {
    texts { text, _ in
      let place = text.firstIndex { $0 <= 32 || $0 >= 127 } ?? text.count
      if text.span.endOfVisible(from: 0) != place { Issue.record("\(text)") }
    }
  }

  @Test func stringsArePlainUpToTheFirstByteThatIsNot() {
    texts { text, _ in
      let place = text.firstIndex { $0 < 32 || $0 >= 128 || $0 == 0x22 || $0 == 0x5C } ?? text.count
      var at = 0
      JSONGrammar.skipPlain(text.span, &at)
      if at != place { Issue.record("\(text): \(at)") }
    }
  }

  /// Each known field has a length and a first letter of its own.
  @Test func everyKnownFieldIsFound() {
    for field in KnownField.allCases where field != .other {
      let name = Array("\(field.spelling)".utf8)
      let found = KnownField(name.span)
      #expect(found == field)
      let shouted = name.map { $0 &- 97 < 26 ? $0 - 32 : $0 }
      let foundAgain = KnownField(shouted.span)
      #expect(foundAgain == field)
      var other = name
      other[name.count - 1] = UInt8(ascii: "!")
      let unknown = KnownField(other.span)
      #expect(unknown == .other)
    }
  }

  /// What a field line is read as at one look, it is also read as with care: one that comes byte by byte is.
  @Test(arguments: [
    "Host: a", "X-Name:value", "Content-Length: 12", "A-Name-Beyond-16-Bytes:  \u{E9} and a value beyond ",
  ])
  func fieldLinesAreReadAlike(_ line: String) {
    let bytes: [UInt8] = Array("\r\n\t :-_aZ0,\"".utf8) + [0, 31, 33, 127, 128, 255]
    for place in 0...line.utf8.count {
      for byte in bytes {
        var field = Array(line.utf8)
        field.insert(byte, at: place)
        let asked = "GET / HTTP/1.1\r\nHost: h\r\n".utf8 + field + "\r\nZ: z\r\n\r\n".utf8
        if request(asked, step: asked.count) != request(asked, step: 1) { Issue.record("\(asked)") }
        let told = "HTTP/1.1 200 OK\r\n".utf8 + field + "\r\nZ: z\r\n\r\n".utf8
        if answer(told, step: told.count) != answer(told, step: 1) { Issue.record("\(told)") }
      }
    }
  }

  private func request(_ bytes: [UInt8], step: Int) -> String {
    var parser = RequestParser(maximumHead: 1000)
    do throws(WireFault) {
      var end = 0
      while end < bytes.count {
        end += step
        if try parser.parse(bytes.span.extracting(0..<end)) == .complete { break }
      }
    } catch {
      return "\(error)"
    }
    return "\(parser.head.headLength) \(parser.head.framing) \(parser.head.fields)"
  }

  private func answer(_ bytes: [UInt8], step: Int) -> String {
    var framing = AnswerFraming()
    var head = ResponseHead()
    var at = 0
    var end = 0
    while end < bytes.count {
      end += step
      while true {
        let part = framing.next(bytes.span.extracting(0..<end), &at, head: &head)
        if case .needMore = part { break }
        if case .head(_, isWhole: false) = part { continue }
        return "\(part == .malformed) \(at) \(head.fields)"
      }
    }
    return "not whole"
  }

  /// A field goes out as it came where one space stands behind its colon, and is written anew where not.
  @Test(arguments: ["A: b", "A:b", "A:  b", "A:\tb", "A: b  ", "A:", "A: "])
  func fieldsAreWrittenWithOneSpace(_ line: String) throws {
    let head = Array("GET / HTTP/1.1\r\nHost: h\r\n\(line)\r\n\r\n".utf8)
    var parser = RequestParser(maximumHead: 1000)
    let progress = try parser.parse(head.span)
    #expect(progress == .complete)
    var out = ByteBuffer()
    out.append(parser.head.fields[1], of: head.span)
    let hasValue = line.utf8.contains(UInt8(ascii: "b"))
    let text = out.withBytes { $0.text }
    #expect(text == (hasValue ? "A: b\r\n" : "A: \r\n"))
  }
}
