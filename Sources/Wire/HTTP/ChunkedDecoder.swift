package import Base
internal import CLinux

/// Decodes a chunked body (RFC 9112 §7.1): a request's in place, an answer's piece by piece with `nextData`.
///
/// A request is read strictly. Of an answer is taken what nginx and libcurl take, and some servers send: a blank and
/// anything more behind a size, zeros before it, lines that end with LF alone.
///
/// In place: the buffer holds, in front of the body, `start` bytes that are left alone (the head). After each call it
/// holds those, then the `bodyCount` bytes decoded so far, then (only when finished) whatever the client sent
/// behind the body. While more is needed nothing undecoded is left in the buffer, so that each byte is
/// looked at once and moved at most once. Extensions and trailer fields are read over. After a fault the
/// buffer's contents mean nothing any more.
package struct ChunkedDecoder: Sendable {
  package enum Progress: Hashable, Sendable { case needMore, finished }

  private enum State {
    /// In the digits of a size, `digits` of them read.
    case size(digits: Int)
    case fieldExtension(count: Int)
    case sizeLineFeed
    case data
    case dataReturn
    case dataLineFeed
    /// In the trailer section, at the start of a line or within one.
    case trailerStart
    case trailerLine
    case trailerLineFeed
    case lastLineFeed
    case finished
    case failed(WireFault)
  }

  /// Decoded bytes so far: of an answer, more than memory could hold.
  private var decoded: Int64 = 0
  private let limit: Int64
  private let isStrict: Bool
  private var state = State.size(digits: 0)
  /// The size being read, then the bytes left of the chunk.
  private var remaining: Int64 = 0
  private var trailerCount = 0

  /// `limit` decoded bytes are taken before 413.
  package init(limit: Int) {
    self.limit = Int64(limit)
    isStrict = true
  }

  /// Of an answer, which goes through and is not kept.
  package static let answer = ChunkedDecoder()
  private init() {
    limit = Int64.max
    isStrict = false
  }

  /// Decoded bytes so far, of a body that is kept.
  package var bodyCount: Int { Int(clamping: decoded) }

  /// Decodes what was appended to the buffer since the last call.
  package mutating func decode(_ buffer: inout ByteBuffer, behind start: Int) throws(WireFault) -> Progress {
    let count = buffer.withMutableBytes { bytes in compact(bytes, behind: start) }
    if case .failed(let fault) = state { throw fault }
    buffer.truncate(to: count)
    if case .finished = state { return .finished }
    return .needMore
  }

  /// The whole body and what belongs to it was read.
  package var isFinished: Bool {
    if case .finished = state { return true }
    return false
  }

  /// Reads on from `at`, which moves: the place of the next data bytes, empty where none have come by now or
  /// none will. nil: a fault, and `state` says which.
  package mutating func nextData(_ bytes: Span<UInt8>, _ at: inout Int) -> Range<Int>? {
    while at < bytes.count {
      if case .data = state {
        let data = at..<at + Int(min(remaining, Int64(bytes.count - at)))
        if data.count > limit - decoded {
          state = .failed(.bodyTooLarge)
          return nil
        }
        at = data.upperBound
        decoded += Int64(data.count)
        remaining -= Int64(data.count)
        if remaining == 0 { state = .dataReturn }
        return data
      }
      if case .finished = state { break }
      if skipBetweenChunks(bytes, &at) { continue }
      state = next(bytes[at])
      if case .failed = state { return nil }
      at += 1
    }
    return at..<at
  }

  /// The usual way from one chunk to the next, where all of it is there: the line end behind the data, digits, and
  /// theirs. False: nothing was read, and the bytes are looked at one by one. A burst of events is made of these.
  private mutating func skipBetweenChunks(_ bytes: Span<UInt8>, _ at: inout Int) -> Bool {
    var place = at
    switch state {
    case .dataReturn:
      guard Self.hasLineEnd(bytes, place) else { return false }
      place += 2
    case .size(digits: 0): break
    case .size, .fieldExtension, .sizeLineFeed, .data, .dataLineFeed, .trailerStart, .trailerLine,
      .trailerLineFeed, .lastLineFeed, .finished, .failed:
      return false
    }
    var size: Int64 = 0
    let first = place
    while place < bytes.count, place - first < Limits.chunkSizeDigits, let digit = bytes[place].hexValue {
      size = size << 4 | Int64(digit)
      place += 1
    }
    guard size > 0, size <= limit - decoded, Self.hasLineEnd(bytes, place) else { return false }
    remaining = size
    state = .data
    at = place + 2
    return true
  }

  private static func hasLineEnd(_ bytes: Span<UInt8>, _ at: Int) -> Bool {
    at + 1 < bytes.count && bytes[at] == UInt8(ascii: "\r") && bytes[at + 1] == UInt8(ascii: "\n")
  }

  /// Decodes the bytes behind `start + bodyCount` in place and returns how many bytes count from the start on.
  mutating func compact(_ bytes: UnsafeMutableRawBufferPointer, behind start: Int) -> Int {
    var read = start + bodyCount
    precondition(start >= 0 && read <= bytes.count)
    var end = read
    while true {
      // Lifetime: the span is over the buffer that the caller lent for this call, and goes before it is moved in.
      let found = nextData(Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(bytes)), &read)
      guard let data = found else { return read }
      if data.isEmpty { break }
      // Lifetime: both places lie in the same buffer.
      let base = bytes.baseAddress.unsafelyUnwrapped
      if data.lowerBound != end { memmove(base + end, base + data.lowerBound, data.count) }
      end += data.count
    }
    // Behind the body: nothing while more is needed, else what the client sent early.
    let rest = bytes.count - read
    if rest > 0, let base = bytes.baseAddress {
      memmove(base + start + bodyCount, base + read, rest)
    }
    return start + bodyCount + rest
  }

  /// The state after one byte of framing.
  private mutating func next(_ byte: UInt8) -> State {
    let isReturn = byte == UInt8(ascii: "\r")
    let isLineFeed = byte == UInt8(ascii: "\n")
    let isLineEnd = isLineFeed && !isStrict
    switch state {
    case .size(let digits):
      if let value = byte.hexValue {
        let most = isStrict ? Limits.chunkSizeDigits : Limits.answerChunkSizeDigits
        if digits == most || remaining > Int64.max >> 4 { return .failed(.malformedChunkSize) }
        remaining = remaining << 4 | Int64(value)
        return .size(digits: digits + 1)
      }
      if digits == 0 { return .failed(.malformedChunkSize) }
      if remaining > limit - decoded { return .failed(.bodyTooLarge) }
      if isReturn { return .sizeLineFeed }
      if isLineEnd { return behindSizeLine }
      let isBlank = (byte == 32 || byte == 9) && !isStrict
      return byte == UInt8(ascii: ";") || isBlank ? .fieldExtension(count: 0) : .failed(.malformedChunkSize)
    case .fieldExtension(let count):
      if isReturn { return .sizeLineFeed }
      if isLineEnd { return behindSizeLine }
      if count == Limits.chunkExtension { return .failed(.chunkExtensionTooLong) }
      if (byte < 32 && byte != 9) || byte == 127 { return .failed(.malformedChunkSize) }
      return .fieldExtension(count: count + 1)
    case .sizeLineFeed:
      if !isLineFeed { return .failed(.malformedChunkSize) }
      return behindSizeLine
    case .dataReturn:
      if isLineEnd { return .size(digits: 0) }
      return isReturn ? .dataLineFeed : .failed(.malformedChunkEnd)
    case .dataLineFeed:
      return isLineFeed ? .size(digits: 0) : .failed(.malformedChunkEnd)
    case .trailerStart:
      if isReturn { return .lastLineFeed }
      if isLineEnd { return .finished }
      return ASCIISet.token.contains(byte) ? trailer(byte) : .failed(.malformedTrailer)
    case .trailerLine:
      if isLineEnd { return .trailerStart }
      return isReturn ? .trailerLineFeed : trailer(byte)
    case .trailerLineFeed:
      return isLineFeed ? .trailerStart : .failed(.malformedTrailer)
    case .lastLineFeed:
      return isLineFeed ? .finished : .failed(.malformedTrailer)
    case .data, .finished, .failed:
      return state
    }
  }

  private var behindSizeLine: State { remaining == 0 ? .trailerStart : .data }

  private mutating func trailer(_ byte: UInt8) -> State {
    trailerCount += 1
    if trailerCount > Limits.trailer || (byte < 32 && byte != 9) || byte == 127 {
      return .failed(.malformedTrailer)
    }
    return .trailerLine
  }
}
