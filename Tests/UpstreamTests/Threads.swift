import Glibc
import Synchronization

// Threads and barriers without Foundation, whose C modules do not go together with CLinux in one test.

private final class Body {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Runs `body` on a thread of its own.
func spawn(_ body: @escaping @Sendable () -> Void) {
  var thread = pthread_t()
  let context = Unmanaged.passRetained(Body(body)).toOpaque()
  let code = pthread_create(
    &thread, nil,
    { context in
      Unmanaged<Body>.fromOpaque(context!).takeRetainedValue().run()
      return nil
    }, context)
  precondition(code == 0)
  pthread_detach(thread)
}

/// A counting barrier between threads: one byte in a pipe for each `open`.
final class Gate: Sendable {
  private let reading: Int32
  private let writing: Int32

  init() {
    var ends: [Int32] = [0, 0]
    precondition(pipe(&ends) == 0)
    (reading, writing) = (ends[0], ends[1])
  }

  deinit {
    close(reading)
    close(writing)
  }

  func open() {
    var byte: UInt8 = 1
    write(writing, &byte, 1)
  }

  /// False after 20 s: the test would hang otherwise.
  @discardableResult func pass() -> Bool {
    var polled = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
    guard poll(&polled, 1, 20_000) == 1 else { return false }
    var byte: UInt8 = 0
    return read(reading, &byte, 1) == 1
  }
}

/// Hands values from a server's thread to the test.
final class Mailbox<Value: Sendable>: Sendable {
  private let values = Mutex<[Value]>([])
  private let gate = Gate()

  func put(_ value: Value) {
    values.withLock { $0.append(value) }
    gate.open()
  }

  func take() -> Value {
    precondition(gate.pass())
    return values.withLock { $0.removeFirst() }
  }
}
