internal import Base
internal import Downstream
internal import Exchange
internal import Policy
internal import Upstream
internal import Wire

/// What a provider, or the way to it, said about a failed attempt.
package enum AttemptDetail {}

extension Runner {
  /// Keeps the words that came with a fault, while the transfer still has them.
  ///
  /// 1. An error status: its body is about the error. 2. A redirect: where it points. 3. An error in a 200, plain or
  /// as an event. 4. No usable answer: libcurl's own words. Of any other body not a byte is kept.
  func noteDetail(_ run: ExchangeRun, _ attempt: Int, _ transfer: TransferID, _ verdict: Verdict) {
    switch verdict {
    case .good: return
    case .relay, .fault: break
    }
    let made = run.exchange.attempts[attempt]
    var text: [UInt8] = []
    if made.status >= 400 {  // 1
      text = upstream.withHeld(transfer) { ErrorBody($0).message } ?? []
    } else if made.status >= 300 {  // 2
      text = upstream.withHead(transfer) { redirection($0, $1) } ?? []
    } else if made.status == 200 {  // 3
      text = upstream.withHeld(transfer) { AttemptDetail.told(inside: $0) } ?? []
    }
    if text.isEmpty, verdict.isOfTheTransfer {  // 4
      text = wayWords(transfer)
    }
    if text.isEmpty { return }
    let provider = run.runtime.catalog.providers[made.choice.provider]
    run.exchange.note(Redaction(provider).apply(to: text), of: attempt)
  }

  private func redirection(_ response: ResponseHead, _ raw: Span<UInt8>) -> [UInt8] {
    guard let place = response.value(named: "location", in: raw) else { return [] }
    var text = ByteBuffer()
    text.append("it points to ")
    text.append(raw.extracting(place))
    return text.withBytes { PublicText.sanitised($0, limit: Limits.errorMessage) }
  }
}

extension Runner {
  /// What is said of the way to a provider where that failed.
  func wayWords(_ transfer: TransferID) -> [UInt8] {
    let words = Array(upstream.message(transfer).utf8)
    return PublicText.sanitised(words.span, limit: Limits.errorMessage)
  }

  /// The tokens of a plain answer that is complete, held and has just been judged; a stream's were observed.
  func noteUsage(_ run: ExchangeRun, _ attempt: Int, _ transfer: TransferID, _ verdict: Verdict) {
    guard verdict == .good, !run.usage.isKnown, run.exchange.shape.endpoint.answersJSON,
      run.exchange.state != .committed(attempt)
    else { return }
    run.usage = answerProbe.usage
  }
}

extension Verdict {
  /// There was no answer to judge: the connection or its bytes failed.
  fileprivate var isOfTheTransfer: Bool {
    switch self {
    case .good, .relay: false
    case .fault(let fault): fault.isOfThePath || fault == .cut || fault == .foreign
    }
  }
}

extension AttemptDetail {
  /// The message of an error that came in a 200, or the title of a page that did; empty where the body is neither.
  package static func told(inside body: Span<UInt8>) -> [UInt8] {
    let plain = ErrorBody(body)
    if plain.isJSON {
      var probe = AnswerProbe()
      probe.read(body)
      return probe.hasError ? plain.message : []
    }
    if let title = PageTitle.find(in: body) {
      return PublicText.sanitised(body.extracting(title), limit: Limits.errorMessage)
    }
    let event = ErrorBody(inside: body)
    return event.isJSON ? event.message : []
  }
}
