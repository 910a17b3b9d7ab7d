package import Base

extension Provider {
  /// How long it may think before its first token: as the file says for it, else `timeouts.first_token`, and at least
  /// `TimeoutSettings.local` where it may have to load a model first.
  package func firstToken(_ timeouts: TimeoutSettings) -> Interval {
    firstToken ?? (isLocal ? max(timeouts.firstToken, TimeoutSettings.local) : timeouts.firstToken)
  }

  /// How long a stream that has begun may be silent, by the same rule.
  package func streamIdle(_ timeouts: TimeoutSettings) -> Interval {
    streamIdle ?? (isLocal ? max(timeouts.streamIdle, TimeoutSettings.local) : timeouts.streamIdle)
  }

  /// A fault of a server that is, or may be, starting: it says so, or it stands near and nobody listens there, or has
  /// what a proxy in front of it says (502, 503). A 500 counts where it says so, or where the exchange has found the
  /// server starting before (`isAskedAgain`).
  package func isStarting(_ fault: Fault, status: Int, isAskedAgain: Bool) -> Bool {
    if startWait == .zero { return false }
    if fault == .starting { return isNear || status == 503 }
    guard isNear else { return false }
    if fault == .refused { return true }
    return fault == .serverError && (status == 502 || status == 503 || (status == 500 && isAskedAgain))
  }
}
