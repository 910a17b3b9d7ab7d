import Base
import Glibc
import Kernel
import Testing

@Suite struct PollerTests {
  @Test func tokenHoldsItsParts() {
    let token = Token(kind: 0xfe, slot: 0xff_ffff, generation: .max)
    #expect(token.kind == 0xfe)
    #expect(token.slot == 0xff_ffff)
    #expect(token.generation == .max)
    #expect(Token(kind: 1, slot: 5, generation: 1) != Token(kind: 1, slot: 5, generation: 2))
    #expect(Token(bits: token.bits) == token)
  }

  @Test func descriptorClosesItselfUnlessTaken() {
    var ends: [Int32] = [-1, -1]
    #expect(pipe(&ends) == 0)
    do { _ = Descriptor(owning: ends[0]) }
    // The number may be in use again by another test: what tells is the pipe, which has no reader now.
    var poll = pollfd(fd: ends[1], events: 0, revents: 0)
    #expect(Glibc.poll(&poll, 1, 0) == 1 && Int32(poll.revents) & POLLERR != 0)
    let kept = Descriptor(owning: ends[1]).take()
    #expect(isOpen(kept))
    close(kept)
  }

  @Test func reportsWhatIsReadyAndOnlyThat() throws {
    let pair = Pair()
    let poller = try Poller()
    let events = PolledEvents(capacity: 4)
    let token = Token(kind: 1, slot: 2, generation: 3)
    try poller.add(pair.a, .read, token: token)
    try poller.wait(timeout: .zero, into: events)
    #expect(events.count == 0)

    #expect(Socket.send(pair.b, [1, 2, 3].span) == .sent(3))
    try poller.wait(timeout: nil, into: events)
    #expect(events.count == 1)
    #expect(events[0].token == token)
    #expect(events[0].readable && !events[0].writable && !events[0].peerClosed && !events[0].hungUp)

    // Level-triggered: reported until it is read.
    try poller.wait(timeout: .seconds(-1), into: events)
    #expect(events.count == 1)

    try poller.modify(pair.a, [.write, .peerClosed], token: token)
    try poller.wait(timeout: nil, into: events)
    #expect(events[0].writable && !events[0].readable)

    Socket.shutdownWrite(pair.b)
    try poller.wait(timeout: nil, into: events)
    #expect(events[0].peerClosed && !events[0].hungUp)

    poller.remove(pair.a)
    poller.remove(pair.a)
    try poller.wait(timeout: .zero, into: events)
    #expect(events.count == 0)
  }

  @Test func hangUpComesWithoutInterestAndWithDataUnread() throws {
    let pair = Pair()
    let poller = try Poller()
    let events = PolledEvents()
    try poller.add(pair.a, [], token: Token(bits: 9))
    #expect(Socket.send(pair.b, [1].span) == .sent(1))
    pair.closeB()
    try poller.wait(timeout: nil, into: events)
    #expect(events.count == 1)
    #expect(events[0].hungUp)
    var buffer = ByteBuffer()
    #expect(Socket.receive(pair.a, into: &buffer, room: 16) == .received(1))
    #expect(Socket.receive(pair.a, into: &buffer, room: 16) == .endOfStream)
  }

  @Test func takesNoMoreEventsThanThereIsRoomFor() throws {
    let poller = try Poller()
    let events = PolledEvents(capacity: 2)
    let (first, second) = (Pair(), Pair())
    for (slot, raw) in [first.a, first.b, second.a, second.b].enumerated() {
      try poller.add(raw, .write, token: Token(kind: 0, slot: slot))
    }
    try poller.wait(timeout: .zero, into: events)
    #expect(events.count == 2)
  }

  @Test func aPollerCanBeWatchedByAnother() throws {
    let pair = Pair()
    let inner = try Poller()
    let outer = try Poller()
    let events = PolledEvents()
    try inner.add(pair.a, .read, token: Token(bits: 1))
    try outer.add(inner.descriptor, .read, token: Token(bits: 2))
    try outer.wait(timeout: .zero, into: events)
    #expect(events.count == 0)
    #expect(Socket.send(pair.b, [1].span) == .sent(1))
    try outer.wait(timeout: .zero, into: events)
    #expect(events.count == 1)
    #expect(events[0].token.bits == 2 && events[0].readable)
  }

  @Test func watchingWhatIsNotOpenIsAFault() throws {
    let poller = try Poller()
    let fault = #expect(throws: KernelFault.self) { try poller.add(-1, .read, token: Token(bits: 0)) }
    #expect(fault?.code == EBADF)
    #expect(fault?.operation == .poll)
  }
}
