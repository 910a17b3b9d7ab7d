internal import CLinux

/// A signal that the process acts on.
package enum Signal: CaseIterable, Equatable, Sendable {
  case terminate, interrupt, hangUp, user1

  package var number: Int32 {
    switch self {
    case .terminate: SIGTERM
    case .interrupt: SIGINT
    case .hangUp: SIGHUP
    case .user1: SIGUSR1
    }
  }
}

/// Signals as readable events: they are blocked for this thread and come through signalfd(2).
///
/// Make it before any other thread starts: threads inherit the mask, and a thread without it would still be
/// killed. SIGPIPE is ignored for the whole process from then on. The former mask is restored at the end.
package final class Signals {
  private let source: Descriptor
  // Lifetime: a value copied from the kernel, given back to it in deinit.
  private var formerMask: sigset_t

  package init(_ signals: [Signal] = Signal.allCases) throws(KernelFault) {
    linux_ignore_sigpipe()
    var wanted = sigset_t()
    formerMask = sigset_t()
    sigemptyset(&wanted)
    for signal in signals { sigaddset(&wanted, signal.number) }
    guard pthread_sigmask(SIG_BLOCK, &wanted, &formerMask) == 0 else { throw KernelFault(.signals, "") }
    let raw = signalfd(-1, &wanted, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
    guard raw >= 0 else {
      let fault = KernelFault(.signals, "")
      pthread_sigmask(SIG_SETMASK, &formerMask, nil)
      throw fault
    }
    source = Descriptor(owning: raw)
  }

  deinit {
    var mask = formerMask
    pthread_sigmask(SIG_SETMASK, &mask, nil)
  }

  /// To be watched for reading.
  package var descriptor: Int32 { source.raw }

  /// The next signal that came, or nil.
  package func read() -> Signal? {
    var info = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    while true {
      // Lifetime: the kernel writes into `info` during the call only.
      let n = withUnsafeMutableBytes(of: &info) { CLinux.read(source.raw, $0.baseAddress!, size) }
      if n == size {
        for signal in Signal.allCases where signal.number == Int32(info.ssi_signo) { return signal }
        continue
      }
      if n < 0, linux_errno() == EINTR { continue }
      return nil
    }
  }
}
