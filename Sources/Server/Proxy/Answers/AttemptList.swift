internal import Base
internal import Exchange
internal import Policy

/// `groq=429;12ms, deepinfra=200;230ms`: each attempt's provider, its status or the word for its fault, and how
/// long it took so far.
enum AttemptList {
  static func write(
    _ attempts: [Attempt], _ providers: [Provider], now: Instant, into out: inout ByteBuffer
  ) {
    for (index, attempt) in attempts.enumerated() {
      if index > 0 { out.append(", ") }
      out.append(providers[attempt.choice.provider].name)
      out.append("=")
      if attempt.status > 0, attempt.fault == nil || attempt.status >= 300 {
        out.append(decimal: attempt.status)
      } else if let fault = attempt.fault {
        out.append(fault.reason)
      } else {
        out.append("open")
      }
      out.append(";")
      out.append(decimal: ((attempt.endedAt ?? now) - attempt.openedAt).milliseconds)
      out.append("ms")
    }
  }
}
