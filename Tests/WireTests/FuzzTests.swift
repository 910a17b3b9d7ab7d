import Base
import TestSupport
import Testing

@testable import Wire

/// Everything that reads bytes from outside, over the given bytes alone. Whatever they are, it comes to an end,
/// stays in bounds, and says the same however they are cut.
private func readAsEverything(_ bytes: [UInt8], cutAt cut: Int) -> Bool {
  let now = WallTime(milliseconds: 1_700_000_000_000)
  let span = bytes.span
  var isSame = true
  isSame = isSame && requestReads(bytes, [bytes.count]) == requestReads(bytes, [cut, bytes.count])
  isSame = isSame && chunksRead(bytes, [0..<bytes.count]) == chunksRead(bytes, [0..<cut, cut..<bytes.count])
  isSame =
    isSame && streamReads(bytes, [0..<bytes.count]) == streamReads(bytes, [0..<cut, cut..<bytes.count])
  isSame = isSame && answerReads(bytes, [bytes.count]) == answerReads(bytes, [cut, bytes.count])
  var probe = JSONProbe()
  if (try? probe.scan(span)) != nil {
    var cursor = JSONCursor(probe.root)
    while let member = cursor.next(span) {
      isSame = isSame && member.value.upperBound <= bytes.count && !member.value.isEmpty
      var out = ByteBuffer()
      if span.jsonString(member, into: &out) {
        var copy = ByteBuffer()
        copy.append(jsonString: out.bytes)
        var again = JSONProbe()
        isSame = isSame && (try? again.scan(copy.bytes)) != nil
      }
      isSame = isSame && (span.jsonQuantity(member) ?? 0) <= Quantity(Int64.max)
      _ = span.jsonDouble(member)
    }
  } else {
    // The cursor is for accepted texts; on others it must still end within the bytes.
    var cursor = JSONCursor(
      JSONMember(key: 0..<0, value: 0..<bytes.count, kind: cut % 2 == 0 ? .object : .array))
    var steps = 0
    while bytes.count > 1, cursor.next(span) != nil { steps += 1 }
    isSame = isSame && steps <= bytes.count
  }
  var head = ResponseHead()
  head.parse(span)
  for field in head.fields { _ = head.crosses(field, in: span) }
  _ = RetryHints.interval(head, in: span, body: span, now: now)
  _ = RetryHints.resetInterval(span, now: now)
  _ = RetryHints.retryAfter(span, now: now)
  isSame = isSame && (span.quantity ?? 0) <= Quantity(Int64.max)
  let error = ErrorBody(span)
  isSame = isSame && error.message.count <= Limits.errorMessage
  isSame = isSame && String(validating: error.message, as: UTF8.self) != nil
  let type = "multipart/form-data; boundary=XX".bytes
  if let form = try? MultipartForm.scan(span, contentType: type.span) {
    isSame = isSame && (form.model?.upperBound ?? 0) <= bytes.count
  }
  _ = try? MultipartForm.scan(span, contentType: span)
  return isSame
}

private func requestReads(_ bytes: [UInt8], _ ends: [Int]) -> String {
  var parser = RequestParser(maximumHead: 4096)
  do throws(WireFault) {
    for end in ends where try parser.parse(bytes.span.extracting(0..<end)) == .complete {
      return
        "\(parser.head.method) \(parser.head.target) \(parser.head.fields.count) \(parser.head.headLength)"
    }
    return "needMore"
  } catch {
    return "\(error)"
  }
}

private func chunksRead(_ bytes: [UInt8], _ pieces: [Range<Int>]) -> String {
  var decoder = ChunkedDecoder(limit: 4096)
  var buffer = ByteBuffer()
  var isFinished = false
  do throws(WireFault) {
    for piece in pieces {
      buffer.append(bytes.span.extracting(piece))
      if !isFinished { isFinished = try decoder.decode(&buffer, behind: 0) == .finished }
    }
    return "\(decoder.bodyCount) \(isFinished) \(buffer.contents)"
  } catch {
    return "\(error)"
  }
}

/// An answer's parts, where whatever was not told yet is given again with more behind it.
private func answerReads(_ bytes: [UInt8], _ ends: [Int]) -> String {
  var framing = AnswerFraming()
  var head = ResponseHead()
  var told = ""
  var at = 0
  for end in ends {
    let span = bytes.span.extracting(0..<end)
    reading: while true {
      let before = at
      let part = framing.next(span, &at, head: &head)
      if at < before || at > end { return "out of bounds" }
      switch part {
      case .head(let lines, let isWhole):
        for line in span.extracting(lines).lines { told += "line \(line.count) " }
        if isWhole { told += "\(head.length) \(head.fields.count) " }
      case .body(let piece): for i in piece { told += "\(bytes[i]) " }
      case .needMore: break reading
      case .complete: return told + "complete at \(at) \(framing.keepsConnection)"
      case .malformed: return told + "malformed"
      }
      if at == before { return "stands still" }
    }
  }
  return told + "more \(framing.isWholeAtClose)"
}

private func streamReads(_ bytes: [UInt8], _ pieces: [Range<Int>]) -> String {
  var observer = EventStreamObserver()
  for piece in pieces { observer.observe(bytes.span.extracting(piece)) }
  let isBetween = observer.endsBetweenEvents
  observer.finish()
  return
    "\(observer.contentEvents) \(observer.sawDone) \(observer.sawErrorFrame) \(observer.end) \(observer.usage) \(isBetween)"
}

@Suite struct FuzzTests {
  private static let seeds = [
    "POST /v1/x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\nExpect: 100-continue\r\n\r\nhello",
    "GET http://h/p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\nrest",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\nrest",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nRetry-After: 17\r\nx-ratelimit-remaining: 0\r\nx-ratelimit-reset: 6m0s\r\n\r\n",
    "HTTP/1.1 429 No\r\nretry-after-ms: 250\r\nx-ratelimit-remaining-tokens: 9\r\nx-ratelimit-reset-tokens: 17\r\n\r\n",
    "data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":4,\"total_tokens\":7}}}\n\n",
    #"{"model":"a\u00e9\ud83d\ude00","n":[1,-2.5e3,{"x":null}],"s":true,"usage":{"prompt_tokens":3}}"#,
    "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\n: c\r\n\r\nevent: error\rdata: {\"error\":{}}\r\rdata: [DONE]\n\n",
    "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5}}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
    "--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--XX--\r\n",
    "Sun, 06 Nov 1994 08:49:37 GMT", "2023-11-14T22:13:30.5+01:00",
    #"[{"error":{"message":"quota exceeded sk-0123456789 try again in 7m1.5s","details":[{"retryDelay":"17s"}]}}]"#,
  ]

  /// Where numbers stop fitting into something.
  private static let edges = [
    "2147483647", "2147483648", "4294967295", "4294967296", "9007199254740992", "9007199254740993",
    "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e308",
    "1e309",
    "-1", "-9223372036854775808", "0", "-0", "0.9999999999999999",
    "99999999999999999999999999999999999999999999",
  ]

  @Test(arguments: 0..<16)
  func survivesMutations(_ seed: Int) {
    var random = SeededRandom(UInt64(seed) &* 7919 &+ 1)
    let alphabet = "\r\n:;,\"\\{}[]0aF -=\u{0}\u{7f}".bytes + [0x80, 0xC3, 0xED, 0xF0, 0xFF]
    for round in 0..<400 {
      var bytes = Self.seeds[random.below(Self.seeds.count)].bytes
      for _ in 0...random.below(4) {
        let at = random.below(bytes.count)
        switch random.below(7) {
        case 0: bytes[at] = UInt8(random.below(256))
        case 1: bytes[at] = alphabet[random.below(alphabet.count)]
        case 2: bytes.insert(alphabet[random.below(alphabet.count)], at: at)
        case 3: if bytes.count > 1 { bytes.remove(at: at) }
        case 4:
          bytes.replaceSubrange(
            at..<at, with: Self.seeds[random.below(Self.seeds.count)].bytes.prefix(random.below(40)))
        case 5:
          // Another number in the place of one.
          let start = bytes[at...].firstIndex { $0.isDigit } ?? at
          let end = bytes[start...].firstIndex { !$0.isDigit } ?? bytes.count
          bytes.replaceSubrange(start..<end, with: Self.edges[random.below(Self.edges.count)].bytes)
        default: if at > 0 { bytes.removeSubrange(at...) }
        }
      }
      let isSame = readAsEverything(bytes, cutAt: random.below(bytes.count))
      #expect(isSame, "seed \(seed) round \(round): \(bytes)")
      if !isSame { return }
    }
  }

  @Test(arguments: 0..<8)
  func survivesNoise(_ seed: Int) {
    var random = SeededRandom(UInt64(seed) &+ 99)
    for _ in 0..<300 {
      let bytes = (0..<random.below(200) + 1).map { _ in UInt8(random.below(256)) }
      let isSame = readAsEverything(bytes, cutAt: random.below(bytes.count))
      #expect(isSame, "\(bytes)")
      if !isSame { return }
    }
  }
}
