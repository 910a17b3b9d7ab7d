package import Base

package struct UpstreamSettings: Sendable {
  /// Transfers open at the same time.
  package var transfers = 1024
  /// As `SSL_CERT_FILE` and `SSL_CERT_DIR` say; nil where unset.
  package var certificateFile: String?
  package var certificateDirectory: String?
  /// Trusted besides everything else: a file of certificates in PEM.
  package var extraCertificateFile: String?
  package init() {}
}

package enum UpstreamError: Error, Equatable, Sendable {
  /// libcurl did not start; its code.
  case startFailed(code: Int32)
}

/// The only user of libcurl: transfers in, events and bytes out.
///
/// It polls nothing. After every call the owner drains `nextEvent`, `nextWatchChange` and `takeTimerChange`,
/// and calls `socketReady` and `timerFired` when what was asked for has come. All on one thread, and never
/// from inside one of its own calls.
package final class Upstream {
  package init(_ settings: UpstreamSettings) throws(UpstreamError) {}

  // MARK: - Targets

  /// Takes in a target. Equal targets share one name; each `prepare` is undone by one `forget`.
  package func prepare(_ target: TransferTarget) -> TargetID { TargetID(index: 0) }
  /// Gives a target back. Its transfers go on to their end.
  package func forget(_ target: TargetID) {}
  /// Closes the idle connections to the target's host and takes busy HTTP/2 ones out of use.
  package func dropConnections(of target: TargetID) {}

  // MARK: - Transfers

  /// Starts a transfer; nil: too many are open, or memory is out.
  ///
  /// `headerLines`: complete field lines, each ended by CRLF, copied before the call returns. `body`: the
  /// segments are read later. Lifetime: the caller keeps their bytes in place until `.ended` or `cancel`.
  package func open(
    _ request: TransferRequest, headerLines: Span<UInt8>, body: Span<UnsafeRawBufferPointer>, now: Instant
  ) -> TransferID? { nil }
  /// Ends a transfer at any time, or gives the slot of an ended one back. No event of it follows. Unknown
  /// and old names are ignored.
  package func cancel(_ id: TransferID) {}
  package func isOpen(_ id: TransferID) -> Bool { false }

  /// Writes `head` and all held bytes at once, then forwards what comes to `outlet`.
  ///
  /// Also after `.ended`. Returns how many body bytes were held. Lifetime: the outlet is kept until `cancel`.
  @discardableResult
  package func commit(
    _ id: TransferID, head: Span<UInt8>, to outlet: Outlet, framing: RelayFraming, now: Instant
  ) -> Int { 0 }
  /// The outlet has drained: lets a paused transfer go on.
  package func resume(_ id: TransferID, now: Instant) {}

  /// The raw lines of the final response head, with the empty line; empty before `.head`.
  package func withHead<R>(_ id: TransferID, _ body: (Span<UInt8>) -> R) -> R? { nil }
  /// Body bytes that are held back; empty after `commit`.
  package func withHeld<R>(_ id: TransferID, _ body: (Span<UInt8>) -> R) -> R? { nil }
  package func progress(_ id: TransferID) -> TransferProgress? { nil }
  /// What libcurl said about the fault, for the log.
  package func message(_ id: TransferID) -> String { "" }
  package func pathState(_ id: TransferID, now: Instant, threshold: Interval) -> PathState { .unknown }

  // MARK: - The loop's side

  package func socketReady(
    _ descriptor: Int32, readable: Bool, writable: Bool, failed: Bool, now: Instant
  ) {}
  package func timerFired(now: Instant) {}
  /// The next fact to act on; nil when there is none. Facts of cancelled transfers are skipped.
  package func nextEvent() -> TransferEvent? { nil }
  package func nextWatchChange() -> WatchChange? { nil }
  package func takeTimerChange() -> TimerChange? { nil }
}
