internal import CLinux

extension UnsafeRawBufferPointer {
  /// No bytes.
  package static var none: Self { Self(start: nil, count: 0) }
}

/// The way out to one client: its socket's write side and the bytes that the socket has not taken yet.
///
/// Bytes go to the socket at once while nothing is waiting; what it does not take is copied to `backlog` and
/// leaves in order with `flush()`. It does not own the descriptor: the connection closes it, after
/// `shutDown()`. The first failed write breaks the output for good, and later bytes are dropped.
///
/// Where bytes have to be sealed or framed first (TLS, HTTP/2), they are gathered: the connection is noted in a queue, and
/// takes them with `pass` when the turn is over, all in as few records or frames as they fill.
package final class WriteBuffer {
  private let descriptor: Int32
  private var queue: WriteQueue?
  private var place: Int32
  /// The end of the turn is waited for: bytes that were gathered are passed on then.
  package private(set) var isQueued = false
  /// Bytes that may wait before the producer has to pause: some where they are gathered, until the socket is full.
  private var allowance: Int
  private var backlog = ByteBuffer()
  /// Bytes accepted by the kernel since the start.
  package private(set) var sent: UInt64 = 0
  package private(set) var isBroken = false
  /// Bytes that it was given have not reached the kernel and never will.
  package private(set) var hasDropped = false

  package init(descriptor: Int32) {
    self.descriptor = descriptor
    queue = nil
    place = 0
    allowance = 0
  }

  /// An output that gathers. `place`: what the queue knows it by.
  package init(gathering queue: WriteQueue, place: Int32) {
    descriptor = -1
    self.queue = queue
    self.place = place
    allowance = Limits.gathered
  }

  /// Gathers from now on. Nothing waits yet.
  package func gather(in queue: WriteQueue, place: Int32) {
    self.queue = queue
    self.place = place
    allowance = Limits.gathered
  }

  /// Bytes wait for the socket: the producer should pause, and the loop should watch for writability.
  package var isBlocked: Bool { backlog.count > allowance }
  /// It is `pass` that sends.
  package var gathers: Bool { queue != nil }
  package var backlogCount: Int { backlog.count }

  /// Sends up to four pieces in one call, in order. All of them are taken: sent, kept or (broken) dropped.
  ///
  /// `goesOn`: more is written in this turn. The kernel waits with what does not fill a segment (MSG_MORE, send(2)).
  package func write(
    _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer = .none,
    _ third: UnsafeRawBufferPointer = .none, _ fourth: UnsafeRawBufferPointer = .none, goesOn: Bool = false
  ) {
    if isBroken {
      hasDropped = true
      return
    }
    var taken = 0
    if let queue {
      if !isQueued {
        isQueued = true
        queue.add(place)
      }
    } else if backlog.isEmpty {
      taken = send(first, second, third, fourth, goesOn: goesOn)
    }
    if isBroken { return }
    keep(first, &taken)
    keep(second, &taken)
    keep(third, &taken)
    keep(fourth, &taken)
  }

  /// Copies what the kernel did not take of one piece; `taken` counts down over the pieces.
  private func keep(_ piece: UnsafeRawBufferPointer, _ taken: inout Int) {
    if taken >= piece.count {
      taken -= piece.count
    } else {
      backlog.append(UnsafeRawBufferPointer(rebasing: piece[taken...]))
      taken = 0
    }
  }

  package func write(_ text: StaticString) {
    write(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Sends what waits. True when nothing waits any more (or the output is broken).
  @discardableResult package func flush() -> Bool {
    while !isBroken, !backlog.isEmpty {
      // Lifetime: what waits is given up by `send` only once it has failed.
      let taken = send(backlog.unsafeBytes)
      if taken == 0 { break }
      backlog.consume(taken)
    }
    if isBroken || backlog.isEmpty {
      backlog.recycle(keeping: 0)
      return true
    }
    return false
  }

  /// What became of bytes that were passed on.
  package enum Passed { case taken(Int), full, broken }

  /// Lends what was gathered to `send`, until all is taken or the socket is full.
  package func pass(_ send: (UnsafeRawBufferPointer) -> Passed) {
    isQueued = false
    while !isBroken, !backlog.isEmpty {
      switch send(backlog.unsafeBytes) {
      case .taken(let count): passed(count)
      case .full:
        allowance = 0
        return
      case .broken:
        shutDown()
        return
      }
    }
    passed(0)
  }

  /// What was gathered. Lifetime: until bytes are added or passed on.
  package var waiting: UnsafeRawBufferPointer { backlog.unsafeBytes }

  /// Lends what was gathered to `take`, which may write in it, and says how much of it is no longer wanted.
  package func take(_ take: (UnsafeMutableRawBufferPointer) -> Int) {
    let count = backlog.withMutableBytes { take($0) }
    backlog.consume(count)
  }

  /// Bytes of what was gathered have been passed on; what remains waits for the socket.
  package func passed(_ count: Int) {
    isQueued = false
    sent &+= UInt64(count)
    backlog.consume(count)
    allowance = backlog.isEmpty ? Limits.gathered : 0
    if backlog.isEmpty { backlog.recycle(keeping: 0) }
  }

  /// Drops what waits and takes nothing more: the descriptor is about to be closed.
  package func shutDown() {
    if !backlog.isEmpty { hasDropped = true }
    isBroken = true
    backlog.release()
  }

  /// One send(2) or sendmsg(2) of the pieces; 0 when the socket is full. MSG_NOSIGNAL: a closed peer is EPIPE, not
  /// SIGPIPE.
  private func send(
    _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer = .none, _ c: UnsafeRawBufferPointer = .none,
    _ d: UnsafeRawBufferPointer = .none, goesOn: Bool = false
  ) -> Int {
    // Lifetime: both calls only read the pieces, and keep nothing.
    var vectors = (iovec(of: a), iovec(of: b), iovec(of: c), iovec(of: d))
    let total = a.count + b.count + c.count + d.count
    if total == 0 { return 0 }
    let flags = Int32(MSG_NOSIGNAL | MSG_DONTWAIT | (goesOn ? MSG_MORE : 0))
    while true {
      // An event is one piece, of which the kernel needs no list.
      let n =
        total == a.count
        ? CLinux.send(descriptor, a.baseAddress, a.count, flags)
        : withUnsafeMutableBytes(of: &vectors) { raw in
          var message = msghdr()
          message.msg_iov = raw.baseAddress!.assumingMemoryBound(to: iovec.self)
          message.msg_iovlen = 4
          return sendmsg(descriptor, &message, flags)
        }
      if n >= 0 {
        sent &+= UInt64(n)
        return n
      }
      switch linux_errno() {
      case EINTR: continue
      case EAGAIN: return 0
      default:
        isBroken = true
        hasDropped = true
        backlog.release()
        return 0
      }
    }
  }
}

extension iovec {
  fileprivate init(of piece: UnsafeRawBufferPointer) {
    self.init(iov_base: UnsafeMutableRawPointer(mutating: piece.baseAddress), iov_len: piece.count)
  }
}
