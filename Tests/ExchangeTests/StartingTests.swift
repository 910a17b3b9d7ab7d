import Base
import Exchange
import Policy
import TestSupport
import Testing

/// Servers that are starting, and those that are given long to load what they are asked for.
@Suite struct StartingTests {
  private static func near(_ name: String, tier: Int = 0, wait: Interval = .seconds(60)) -> Provider {
    provider(name, tier: tier) {
      $0.isNear = true
      $0.startWait = wait
    }
  }

  /// The latest attempt's answer; nil: no connection.
  @discardableResult
  private static func answer(_ scene: Scene, _ index: Int, _ status: Int?, _ fault: Fault)
    -> [ExchangeEffect]
  {
    if let status {
      scene.tell(.connected(index))
      scene.tell(.answered(index, status: status))
    }
    return scene.tell(.ended(index, .fault(fault), tokens: nil))
  }

  private static func isWaiting(_ scene: Scene) -> Bool {
    if case .waiting = scene.exchange.state { return true }
    return false
  }

  @Test func isAskedAgainUntilItHasStarted() {
    let scene = Scene([Self.near("a")])
    let begun = scene.now
    scene.tell(.started)
    var asks: [Int64] = []
    for n in 0..<8 {
      Self.answer(scene, min(n, 3), 503, .starting)
      #expect(Self.isWaiting(scene))
      let effects = scene.passToDue()
      #expect(effects == [.open(min(n + 1, 3))])
      asks.append((scene.now - begun).milliseconds)
    }
    #expect(asks == [250, 750, 1750, 3750, 5750, 7750, 9750, 11_750])
    scene.tell(.connected(3))
    let effects = scene.tell(.ended(3, .good, tokens: 1))
    #expect(effects == [.relay(3), .concluded])
    #expect(scene.exchange.attempts.map(\.fault) == [.starting, .starting, .starting, nil])
    #expect(scene.health.inFlight == 0)
    #expect(scene.health.status(of: 0, now: scene.now).state == .online)
  }

  struct Row: Sendable {
    var isNear = true
    var wait = Interval.seconds(60)
    var status: Int?
    var fault: Fault
    var waits: Bool
  }

  @Test(arguments: [
    Row(status: 503, fault: .starting, waits: true), Row(status: 502, fault: .serverError, waits: true),
    Row(status: 503, fault: .serverError, waits: true), Row(status: 500, fault: .starting, waits: true),
    Row(status: nil, fault: .refused, waits: true), Row(status: nil, fault: .unreachable, waits: false),
    Row(status: 500, fault: .serverError, waits: false),
    Row(status: 504, fault: .serverError, waits: false), Row(status: 529, fault: .overloaded, waits: false),
    Row(status: nil, fault: .reset, waits: false), Row(status: nil, fault: .tls, waits: false),
    Row(wait: .zero, status: 503, fault: .starting, waits: false),
    Row(wait: .zero, status: nil, fault: .refused, waits: false),
    Row(isNear: false, status: 503, fault: .starting, waits: true),
    Row(isNear: false, status: 500, fault: .starting, waits: false),
    Row(isNear: false, status: 503, fault: .serverError, waits: false),
    Row(isNear: false, status: nil, fault: .refused, waits: false),
  ])
  func whoMayBeStarting(_ row: Row) {
    let scene = Scene([
      provider("a") {
        $0.isNear = row.isNear
        $0.startWait = row.wait
      }
    ])
    scene.tell(.started)
    let effects = Self.answer(scene, 0, row.status, row.fault)
    #expect(Self.isWaiting(scene) == row.waits)
    #expect(effects == (row.waits ? [.cancel(0)] : [.cancel(0), .answerError(.attemptsFailed), .concluded]))
  }

  /// A 500 alone is an error; behind a refused connection it is the server's next step.
  @Test func aServerComesUpInSteps() {
    let scene = Scene([Self.near("a")])
    scene.tell(.started)
    Self.answer(scene, 0, nil, .refused)
    scene.passToDue()
    Self.answer(scene, 1, 500, .serverError)
    #expect(Self.isWaiting(scene))
    scene.passToDue()
    let effects = Self.answer(scene, 2, 504, .serverError)
    #expect(effects == [.cancel(2), .answerError(.attemptsFailed), .concluded])
  }

  @Test func startWaitEndsIt() {
    let scene = Scene([Self.near("a", wait: .seconds(5))])
    let begun = scene.now
    scene.tell(.started)
    var effects = Self.answer(scene, 0, 503, .starting)
    var opened = 1
    while Self.isWaiting(scene) {
      guard case .open(let index)? = scene.passToDue().last else { break }
      opened += 1
      effects = Self.answer(scene, index, 503, .starting)
    }
    #expect(effects.dropFirst() == [.answerError(.attemptsFailed), .concluded])
    #expect(opened == 5)
    #expect(scene.now == begun + .milliseconds(3750))
    #expect(scene.health.inFlight == 0)
  }

  @Test func theDeadlineEndsIt() {
    var timeouts = TimeoutSettings()
    timeouts.request = .milliseconds(600)
    let scene = Scene([Self.near("a")], timeouts: timeouts)
    scene.tell(.started)
    Self.answer(scene, 0, 503, .starting)
    scene.passToDue()
    let effects = Self.answer(scene, 1, 503, .starting)
    #expect(effects.dropFirst() == [.answerError(.attemptsFailed), .concluded])
  }

  @Test func othersAreAskedFirst() {
    let scene = Scene([Self.near("a"), provider("b", tier: 1)])
    scene.tell(.started)
    #expect(Self.answer(scene, 0, 503, .starting) == [.cancel(0), .open(1)])
    Self.answer(scene, 1, 500, .serverError)
    #expect(Self.isWaiting(scene))
    #expect(scene.passToDue() == [.open(2)])
    #expect(scene.name(2) == "a")
  }

  /// Two that start are asked by turns, and one whose cooldown ends meanwhile before them.
  @Test func whoIsReadyMeanwhileComesFirst() {
    let scene = Scene([Self.near("a"), Self.near("b", tier: 1), provider("c", tier: 2)]) {
      health, catalog, now in
      Scene.blame(health, catalog, "c", .rate(until: now + .milliseconds(2500)), now: now)
    }
    scene.tell(.started)
    Self.answer(scene, 0, 503, .starting)
    scene.pass(.milliseconds(100))
    Self.answer(scene, 1, 503, .starting)
    var names = ""
    for index in 2..<9 {
      #expect(scene.passToDue() == [.open(index)])
      names += scene.name(index)
      if scene.name(index) != "c" { Self.answer(scene, index, 503, .starting) }
    }
    #expect(names == "abababc")
  }

  /// Its breaker keeps the others' requests away from it while they have somewhere else to go, and only then.
  @Test func laterRequestsWaitToo() {
    let scene = Scene([Self.near("a"), provider("b", tier: 1)]) { health, catalog, now in
      Scene.blame(health, catalog, "b", .quota(until: nil), now: now)
    }
    scene.tell(.started)
    for index in 0..<4 {
      Self.answer(scene, index, 503, .starting)
      scene.passToDue()
    }
    #expect(scene.health.status(of: 0, now: scene.now).state == .cooling)
    var later = Exchange(scene.exchange.shape, now: scene.now)
    var effects: [ExchangeEffect] = []
    later.handle(.started, health: scene.health, now: scene.now, effects: &effects)
    #expect(effects == [.open(0)])
    scene.health.reset(provider: 1)
    var another = Exchange(scene.exchange.shape, now: scene.now)
    effects = []
    another.handle(.started, health: scene.health, now: scene.now, effects: &effects)
    #expect(another.attempts.first?.choice.provider == 1)
  }

  @Test func aStreamingClientIsShownThatItGoesOn() {
    let scene = Scene([Self.near("a")], stream: true)
    let begun = scene.now
    scene.tell(.started)
    var index = 0
    var comments: [Int64] = []
    while scene.now < begun + .seconds(50) {
      if !Self.isWaiting(scene) { Self.answer(scene, index, 503, .starting) }
      for effect in scene.passToDue() {
        if case .open(let next) = effect { index = next }
        if case .sendComment = effect { comments.append((scene.now - begun).milliseconds) }
      }
    }
    #expect(comments == [15_000, 30_000, 45_000])
    scene.tell(.connected(index))
    #expect(scene.tell(.contentBegan(index, .good)) == [.commit(index)])
  }

  // MARK: - Patience

  private static func local(_ change: (inout Provider) -> Void = { _ in }) -> Provider {
    provider("a") {
      $0.isLocal = true
      change(&$0)
    }
  }

  /// The request has arrived, and nothing is said: how long it is waited for, and how it ends.
  private static func silence(_ provider: Provider, stream: Bool = true, isTaken: Bool = true) -> (
    seconds: Int64, last: ExchangeEffect?
  ) {
    let scene = Scene([provider], stream: stream)
    let begun = scene.now
    scene.tell(.started)
    scene.tell(.connected(0))
    if isTaken { scene.tell(.path(0, .acknowledged)) }
    while scene.exchange.ending == nil {
      let effects = scene.passToDue()
      if effects.contains(.checkPath(0)) { scene.tell(.path(0, .heldUp)) }
      if scene.exchange.ending != nil {
        return ((scene.now - begun).milliseconds / 1000, effects.dropLast().last)
      }
    }
    return (0, nil)
  }

  @Test func localServersMayLoadForFiveMinutes() {
    #expect(Self.silence(Self.local()).seconds == 300)
    #expect(Self.silence(Self.local(), stream: false).seconds == 300)
    #expect(Self.silence(provider("a")).seconds == 60)
    // One that does not take its request has the deadline only.
    #expect(Self.silence(Self.local(), isTaken: false).seconds == 120)
  }

  @Test func aProvidersOwnTimesComeFirst() {
    #expect(Self.silence(Self.local { $0.firstToken = .seconds(20) }).seconds == 20)
    #expect(Self.silence(Self.local { $0.firstToken = .seconds(900) }).seconds == 900)
    #expect(Self.silence(provider("a") { $0.firstToken = .seconds(90) }).seconds == 90)
    // The deadline is for all others.
    #expect(Self.silence(provider("a") { $0.firstToken = .seconds(900) }).seconds == 120)
  }

  @Test func nothingIsAttemptedBehindTheDeadline() {
    let scene = Scene([Self.local(), provider("b", tier: 1)])
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.tell(.path(0, .acknowledged))
    while scene.exchange.nextDue < scene.exchange.startedAt + .seconds(130) { scene.passToDue() }
    #expect(scene.exchange.attempts[0].isLive)
    scene.pass(.seconds(130))
    let effects = scene.tell(.ended(0, .fault(.reset), tokens: nil))
    #expect(effects == [.cancel(0), .breakOff(.deadlineExceeded), .concluded])
  }

  /// The deadline ends those that have not taken the request, beside one that has.
  @Test func theDeadlineEndsTheOthers() {
    let scene = Scene([Self.local(), provider("b", tier: 1)], hedge: .seconds(100))
    scene.tell(.started)
    scene.tell(.connected(0))
    scene.tell(.path(0, .acknowledged))
    var effects: [ExchangeEffect] = []
    while scene.exchange.attempts.count < 2 { effects = scene.passToDue() }
    #expect(effects.contains(.open(1)))
    scene.tell(.connected(1))
    scene.tell(.path(1, .acknowledged))
    while scene.exchange.attempts[1].isLive { effects = scene.passToDue() }
    #expect(effects.contains(.cancel(1)))
    #expect(scene.now == scene.exchange.startedAt + .seconds(120))
    #expect(scene.exchange.attempts[0].isLive)
    #expect(scene.tell(.contentBegan(0, .good)) == [.commit(0)])
  }

  @Test func aStreamsSilence() {
    for (patient, seconds) in [
      (Self.local(), 300), (provider("a"), 60), (provider("a") { $0.streamIdle = .seconds(7) }, 7),
    ] {
      let scene = Scene([patient])
      scene.tell(.started)
      scene.tell(.connected(0))
      scene.tell(.contentBegan(0, .good))
      let last = scene.now
      while scene.exchange.ending == nil {
        if scene.passToDue().contains(.checkProgress(0)) {
          scene.tell(.progress(0, AttemptProgress(lastContentAt: last, isPaused: false)))
        }
      }
      #expect(scene.now == last + .seconds(Int64(seconds)))
    }
  }
}
