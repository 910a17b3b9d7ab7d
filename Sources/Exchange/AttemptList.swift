package import Base
package import Policy

/// `groq=429;12ms, deepinfra=200;230ms`: each attempt's provider, its status or the word for its fault, and how
/// long it took so far.
package enum AttemptList {
  package static func write(
    _ attempts: [Attempt], _ providers: [Provider], now: Instant, into out: inout ByteBuffer
  ) {
    for index in attempts.indices {
      if index > 0 { out.append(", ") }
      out.append(providers[attempts[index].choice.provider].name)
      out.append("=")
      let (status, fault) = (attempts[index].status, attempts[index].fault)
      if status > 0, fault == nil || status >= 300 {
        out.append(decimal: status)
      } else {
        out.append(fault?.reason ?? "open")
      }
      out.append(";")
      out.append(decimal: ((attempts[index].endedAt ?? now) - attempts[index].openedAt).milliseconds)
      out.append("ms")
    }
  }
}
