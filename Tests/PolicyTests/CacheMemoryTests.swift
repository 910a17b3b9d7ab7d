import Base
import Glibc
import Policy
import Testing

/// Resident pages of this process, in bytes (proc(5), statm's second field).
private func resident() -> Int {
  guard let file = fopen("/proc/self/statm", "r") else { return 0 }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 256)
  guard fgets(&line, 256, file) != nil else { return 0 }
  let fields = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    .split(separator: " ")
  return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(getpagesize()) : 0
}

/// The cache's bytes as the kernel sees them, not as the cache counts them: in a process of its own, since the
/// pages of tests that run beside this one would count too.
@Suite struct CacheMemoryTests {
  @Test func aMillionInsertsStayInTheBudget() async {
    await #expect(processExitsWith: .success) {
      let budget = 8 << 20
      let chunk = [UInt8](repeating: 0x61, count: 16 * 1024)
      let head = AnswerHead(
        status: 200, contentType: Array("text/event-stream".utf8),
        fields: Array("openai-version: 1\r\n".utf8),
        provider: 0, providerName: "groq", isStream: true)
      var state: UInt64 = 42
      func next(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
      }
      let pool = BlockPool()
      var cache = ResponseCache(budget: budget, ttl: .seconds(300), pool: pool)
      let flights = MemoryMeter(limit: 4 << 20, pool: pool)
      // Sixteen answers are being recorded at any time, each by a few chunks at a turn, as in the loop.
      var running: [(recording: Recording, left: Int)] = []
      let before = resident()
      var most = 0
      var inserted = 0
      while inserted < 1_000_000 {
        if running.count < 16 {
          let size =
            switch next(4_000) {
            case 0: next(2 << 20)
            case 1..<40: next(100_000)
            case 40..<1_000: next(8_000)
            default: next(1_500)
            }
          let recording = Recording(cap: cache.largestAnswer, window: 0, meter: flights)
          running.append((recording, size))
          continue
        }
        let pick = next(running.count)
        let take = min(running[pick].left, 1 + next(chunk.count))
        running[pick].recording.append(chunk.span.extracting(0..<take))
        running[pick].left -= take
        if running[pick].left > 0 { continue }
        let recording = running.remove(at: pick).recording
        let key = Fingerprint(high: UInt64(next(1 << 30)), low: state)
        _ = cache.insert(key, head: head, recording: recording, now: Instant(nanoseconds: Int64(inserted)))
        inserted += 1
        if inserted % 64 == 0 { precondition(cache.bytes <= budget) }
        if inserted % 10_000 == 0 { most = max(most, resident() - before - flights.used) }
      }
      precondition(cache.figures.evictions > 900_000, "the cache was full all the time")
      // Half of the budget for malloc's holes and spare blocks.
      precondition(most <= budget + budget / 2, "\(most) bytes resident")
      // Full, it holds what it counts: the count does not run away upwards either.
      precondition(most >= budget / 2, "\(most) bytes resident")
    }
  }
}
