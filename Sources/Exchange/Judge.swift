package import Base
package import Policy
package import Wire

/// An answer as the judge sees it: its head, and the part of its body that is held back.
package struct Answer: ~Copyable, ~Escapable {
  package let head: ResponseHead
  package let raw: Span<UInt8>
  package let body: Span<UInt8>
  /// The head says `text/event-stream`, or says nothing and a stream was asked for.
  package let isEventStream: Bool
  /// East of UTC: that of dates in its error's sentence that name none.
  package let zone: Interval

  @_lifetime(copy raw, copy body)
  package init(
    head: ResponseHead, raw: Span<UInt8>, body: Span<UInt8>, isEventStream: Bool, zone: Interval = .zero
  ) {
    self.head = head
    self.raw = raw
    self.body = body
    self.isEventStream = isEventStream
    self.zone = zone
  }
}

/// Says whose fault an answer is (SPEC 4, "Faults"). No state.
package enum Judge {
  /// A stream that has shown content: good if the answer is one at all.
  package static func stream(_ answer: borrowing Answer, sawError: Bool, shape: ExchangeShape, now: Moment)
    -> Verdict
  {
    if answer.head.status >= 300 { return status(answer, now: now) }
    return sawError && !shape.endpoint.tellsOfThePast ? errorInside(answer, now: now) : .good
  }

  /// A plain answer of which only the beginning is there: a whole look at its JSON is not possible.
  ///
  /// `hasHeadOut`: the client has the head of a stream, which neither of the two can follow.
  package static func beginning(
    _ answer: borrowing Answer, hasHeadOut: Bool, shape: ExchangeShape, now: Moment
  ) -> Verdict {
    if answer.head.status >= 300 { return error(answer, hasHeadOut: hasHeadOut, shape: shape, now: now) }
    if answer.isEventStream { return .good }
    if hasHeadOut || (shape.endpoint.answersJSON && !startsLikeJSON(answer.body)) { return .fault(.foreign) }
    return .good
  }

  /// A whole plain answer, or a stream that ended without any content.
  package static func whole(
    _ answer: borrowing Answer, sawError: Bool, hasHeadOut: Bool, shape: ExchangeShape, now: Moment
  ) -> Verdict {
    var probe = AnswerProbe()
    return whole(
      answer, sawError: sawError, hasHeadOut: hasHeadOut, shape: shape, now: now, reading: &probe)
  }

  /// As above. A plain answer that is good has been read with `probe`, whose memory is used again.
  package static func whole(
    _ answer: borrowing Answer, sawError: Bool, hasHeadOut: Bool, shape: ExchangeShape, now: Moment,
    reading probe: inout AnswerProbe
  ) -> Verdict {
    if answer.head.status >= 300 { return error(answer, hasHeadOut: hasHeadOut, shape: shape, now: now) }
    if answer.isEventStream {
      if !sawError { return .fault(.emptyStream) }
      return shape.endpoint.tellsOfThePast ? .good : errorInside(answer, now: now)
    }
    if hasHeadOut { return .fault(.foreign) }
    guard shape.endpoint.answersJSON else { return .good }
    probe.read(answer.body)
    if !probe.isJSON { return .fault(answer.body.isEmpty ? .emptyStream : .foreign) }
    if shape.endpoint.tellsOfThePast, probe.responseName(in: answer.body) != nil { return .good }
    return probe.hasError ? errorInside(answer, now: now) : .good
  }

  /// A plain error cannot follow the head of a stream.
  private static func error(
    _ answer: borrowing Answer, hasHeadOut: Bool, shape: ExchangeShape, now: Moment
  ) -> Verdict {
    // Whether it does not know the response or has no such endpoint: another may have made it.
    if shape.endpoint == .storedResponse, 404...405 ~= answer.head.status { return .fault(.unsuited) }
    let verdict = status(answer, now: now)
    return verdict == .relay && hasHeadOut ? .fault(.unsuited) : verdict
  }

  /// What a transfer's end without an answer means.
  package static func transfer(_ end: TransferEnd) -> Fault {
    switch end {
    case .unreachable: .unreachable
    case .refused: .refused
    case .tls: .tls
    case .reset: .reset
    case .cut: .cut
    case .stale: .staleConnection
    case .raceLost: .raceLost
    case .noRoom: .noRoom
    case .unreadable: .foreign
    }
  }

  /// An error object in a 200. Its code, where that is a status, and its words say what a status would have said;
  /// what would be the client's there is the provider's here, which had taken the request.
  private static func errorInside(_ answer: borrowing Answer, now: Moment) -> Verdict {
    let error = ErrorBody(inside: answer.body)
    let status = error.code.map { 400...499 ~= $0 ? $0 : 400 } ?? 400
    let verdict = verdict(status, error, answer, now: now)
    if case .fault(let fault) = verdict, fault.isOfAnotherStatus { return verdict }
    let isQuota = !error.traits.isDisjoint(with: [.quota, .daily])
    return .fault(isQuota ? .quota(until: hint(answer, error, isRate: false, now: now)) : .errorInside)
  }

  private static func status(_ answer: borrowing Answer, now: Moment) -> Verdict {
    verdict(answer.head.status, ErrorBody(answer.body), answer, now: now)
  }

  private static func verdict(_ status: Int, _ error: ErrorBody, _ answer: borrowing Answer, now: Moment)
    -> Verdict
  {
    switch BlameTable.ruling(status: status, saying: error.traits) {
    case .serverError: .fault(.serverError)
    case .overloaded: .fault(.overloaded)
    case .starting: .fault(.starting)
    case .timedOut: .fault(.timedOut)
    case .redirected: .fault(.redirected)
    case .rate: .fault(.rate(until: hint(answer, error, isRate: true, now: now)))
    case .quota: .fault(.quota(until: hint(answer, error, isRate: false, now: now)))
    case .keyRejected: .fault(.keyRejected)
    case .modelMissing: .fault(.modelMissing)
    case .endpointMissing: .fault(.endpointMissing)
    case .modelLacksEndpoint: .fault(.modelLacksEndpoint)
    case .tooLong: .fault(.tooLong)
    case .requestRefused: .fault(.requestRefused)
    case .unsuited: .fault(.unsuited)
    case .wrongTransport: .fault(.tls)
    case .relay: .relay
    }
  }

  private static func hint(_ answer: borrowing Answer, _ error: ErrorBody, isRate: Bool, now: Moment)
    -> Instant?
  {
    RetryHints.interval(
      answer.head, in: answer.raw, body: answer.body, error: error.text.span, isRate: isRate,
      zone: answer.zone, now: now.wall
    ).map { now.instant + $0 }
  }

  private static func startsLikeJSON(_ body: Span<UInt8>) -> Bool {
    for i in 0..<min(body.count, 64) {
      switch body[i] {
      case 32, 9, 10, 13: continue
      case UInt8(ascii: "{"), UInt8(ascii: "["): return true
      default: return false
      }
    }
    return false
  }
}

extension Fault {
  /// Told in a 200 it is what its status would have been; all else is an error in a 200.
  fileprivate var isOfAnotherStatus: Bool {
    switch blame {
    case .account, .key, .candidate, .client: true
    case .provider, .endpoint, .nobody: false
    }
  }
}
