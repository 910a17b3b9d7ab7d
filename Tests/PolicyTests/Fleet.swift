import Base
import Policy

/// The sidecars of a day's simulation, who of them gets a request, and what their caches hold.
///
/// Half of the requests go on with a conversation of the last minutes, a tenth repeat a request word by word in the
/// same conversation, a tenth one of another. Sidecars are picked by conversation where the balancer hashes its
/// header, at random where it does not.
struct Fleet {
  struct Request {
    var sidecar = 0
    var conversation = 0
    /// Equal requests have equal ones.
    var key = 0
    var isRepeated = false
  }

  /// One sidecar, and no two requests alike.
  static let single = Fleet(sidecars: 1, isHashed: false, repeats: false, seed: 1)

  let sidecars: Int
  let isHashed: Bool
  private let repeats: Bool
  private var random: RandomSource
  private var made = 0
  private var recent: [(request: Request, at: Instant)] = []
  private var oldest = 0
  private var caches: [[Int: Instant]]

  private static let timeToLive = Interval.seconds(300)
  private static let remembered = 64

  init(sidecars: Int, isHashed: Bool, repeats: Bool = true, seed: UInt64) {
    self.sidecars = sidecars
    self.isHashed = isHashed
    self.repeats = repeats
    random = RandomSource(seed: seed)
    caches = Array(repeating: [:], count: sidecars)
  }

  mutating func request(at now: Instant) -> Request {
    made += 1
    guard repeats else { return Request(conversation: made, key: made) }
    var request = Request(conversation: made, key: made)
    let chance = random.below(10)
    if chance < 7, let (former, at) = recent.isEmpty ? nil : recent[random.below(recent.count)] {
      if chance != 1 { request.conversation = former.conversation }
      if chance < 2 {
        request.key = former.key
        request.isRepeated = now - at < Self.timeToLive
      }
    }
    request.sidecar = isHashed ? Int(hash(request.conversation) % UInt64(sidecars)) : random.below(sidecars)
    if recent.count < Self.remembered {
      recent.append((request, now))
    } else {
      recent[oldest] = (request, now)
      oldest = (oldest + 1) % Self.remembered
    }
    return request
  }

  /// A step of splitmix64.
  private func hash(_ number: Int) -> UInt64 {
    var mixed = UInt64(number) &* 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    return mixed ^ (mixed >> 31)
  }

  func isStored(_ request: Request, at now: Instant) -> Bool {
    caches[request.sidecar][request.key].map { now - $0 < Self.timeToLive } ?? false
  }

  mutating func store(_ key: Int, in sidecar: Int, at now: Instant) {
    if repeats { caches[sidecar][key] = now }
  }
}
