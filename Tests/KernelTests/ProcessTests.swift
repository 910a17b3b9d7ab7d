import Base
import Glibc
import Kernel
import TestSupport
import Testing

@Suite(.serialized) struct ProcessTests {
  /// raise(3) addresses this thread, whose mask `Signals` changes: the other threads of the test are not hit.
  @Test func signalsAreReadNotDelivered() throws {
    var before = sigset_t()
    pthread_sigmask(SIG_BLOCK, nil, &before)
    do {
      let signals = try Signals()
      #expect(signals.read() == nil)
      for signal in Signal.allCases {
        raise(signal.number)
        let poller = try Poller()
        let events = PolledEvents(capacity: 1)
        try poller.add(signals.descriptor, .read, token: Token(bits: 1))
        try poller.wait(timeout: nil, into: events)
        #expect(events.count == 1 && events[0].readable)
        #expect(signals.read() == signal)
        #expect(signals.read() == nil)
      }
    }
    var after = sigset_t()
    pthread_sigmask(SIG_BLOCK, nil, &after)
    for signal in Signal.allCases {
      #expect(sigismember(&after, signal.number) == sigismember(&before, signal.number))
    }
  }

  @Test(
    arguments: [
      ("2", "77", 3..<5), ("0", "77", 3..<3), ("1", "78", 3..<3), ("-1", "77", 3..<3), ("65", "77", 3..<3),
      ("64", "77", 3..<67), ("", "77", 3..<3), ("1", "", 3..<3), (nil, "77", 3..<3), ("1", nil, 3..<3),
      ("1x", "77", 3..<3), ("+1", "77", 3..<3),
    ] as [(String?, String?, Range<Int32>)])
  func inheritedDescriptors(fds: String?, pid: String?, expected: Range<Int32>) {
    #expect(
      ServiceManager.inheritedDescriptors(listenFDs: fds, listenPID: pid, processID: 77) == expected)
  }

  @Test(arguments: [false, true])
  func notifyReachesTheSocket(isAbstract: Bool) throws {
    let path = isAbstract ? "@kt-notify-\(getpid())" : scratchPath("notify")
    let raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    defer {
      close(raw)
      if !isAbstract { unlink(path) }
    }
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &name.sun_path) {
      $0.copyBytes(from: path.utf8)
      if isAbstract { $0[0] = 0 }
    }
    let bound = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(raw, $0, socklen_t(2 + path.utf8.count))
      }
    }
    #expect(bound == 0)
    let manager = try #require(NotifySocket(path))
    #expect(manager.send("READY=1"))
    var text = [UInt8](repeating: 0, count: 32)
    let n = recv(raw, &text, 32, Int32(MSG_DONTWAIT))
    #expect(String(decoding: text.prefix(max(0, n)), as: UTF8.self) == "READY=1")
    // A manager that does not read makes nobody wait: what it did not take comes with what follows.
    while manager.send("WATCHDOG=1") {}
    #expect(manager.hasUnsent)
    while recv(raw, &text, 32, Int32(MSG_DONTWAIT)) > 0 {}
    #expect(manager.send("STATUS=b"))
    #expect(!manager.hasUnsent)
    let both = recv(raw, &text, 32, Int32(MSG_DONTWAIT))
    #expect(String(decoding: text.prefix(max(0, both)), as: UTF8.self) == "WATCHDOG=1\nSTATUS=b")
    #expect(NotifySocket(path + "-nobody")?.send("READY=1") == false)
    #expect(NotifySocket("") == nil)
  }

  @Test(
    arguments: [
      ("30000000", "77", 15_000_000), ("30000000", nil, 15_000_000), ("30000000", "78", nil), ("0", nil, nil),
      ("x", nil, nil), (nil, "77", nil),
    ] as [(String?, String?, Int64?)])
  func watchdogBeatsTwicePerPeriod(time: String?, pid: String?, expected: Int64?) {
    let period = ServiceManager.watchdogPeriod(microseconds: time, watchdogPID: pid, processID: 77)
    #expect(period?.microseconds == expected)
  }

  @Test func factsFollowTheProcess() throws {
    #expect(ProcessFacts.residentBytes > 1 << 20)
    #expect(ProcessFacts.processID == getpid())
    let limit = ProcessFacts.raiseDescriptorLimit(to: 64)
    #expect(limit >= 64)
    #expect(ProcessFacts.raiseDescriptorLimit(to: limit + 1) >= limit)
    let held = ByteBuffer(capacity: 1 << 16)
    ProcessFacts.trimHeap()
    #expect(held.capacity == 1 << 16)
    #expect(ProcessFacts.openDescriptors >= 3)
  }

  @Test func theMonotonicClockDoesNotStepBack() {
    let a = Kernel.Clock.now()
    let b = Kernel.Clock.now()
    #expect(a.instant <= b.instant)
    #expect(a.wall.milliseconds > 1_700_000_000_000)
  }
}
