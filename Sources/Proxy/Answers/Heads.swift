internal import Base
internal import Downstream
internal import Exchange
internal import Policy
internal import Upstream
internal import Wire

// What heads of answers say of an exchange.
extension Runner {
  /// What almost every plain answer is, shared by all heads.
  private static let jsonType = Array("application/json".utf8)
  private static let eventsType = Array("text/event-stream; charset=utf-8".utf8)

  /// Takes what of a provider's head goes to clients, as it is stored and shared.
  func answerHead(_ run: ExchangeRun, _ attempt: Int, _ transfer: TransferID) -> AnswerHead {
    let provider = run.exchange.attempts[attempt].choice.provider
    var head = AnswerHead(
      status: run.exchange.attempts[attempt].status, contentType: [], fields: [], provider: provider,
      providerName: run.runtime.catalog.providers[provider].name,
      isStream: upstream.progress(transfer)?.isEventStream ?? false)
    var draft = takeDraft()
    upstream.withHead(transfer) { response, raw in
      for field in response.fields where response.crosses(field, in: raw) {
        let value = raw.extracting(field.value)
        if field.known == .contentType, head.contentType.isEmpty {
          head.contentType =
            value.equals(Self.jsonType.span) ? Self.jsonType : value.array
        } else {
          draft.body.append(field, of: raw)
        }
      }
      if let id = response.value(of: .requestID) {
        draft.body.appendField("X-Upstream-Request-ID", raw.extracting(id))
      }
      run.length = response.contentLength(in: raw)
    }
    // The body's first bytes outweigh the name that the provider gave it.
    if ResponseHead.isEventStream(head.contentType.span) != head.isStream {
      if head.isStream {
        head.contentType = Self.eventsType
      } else if !head.contentType.isEmpty {
        head.contentType = Self.jsonType
      }
    }
    head.fields = draft.body.withBytes { $0.array }
    giveBack(draft)
    return head
  }

  /// The head of an answer that is shared or stored. `stored`: the entry it comes from.
  func composeHead(
    _ head: AnswerHead, in draft: inout AnswerDraft, _ reply: Reply, _ connection: Connection,
    run: ExchangeRun?, length: Int64?, stored: CachedAnswer?, _ now: Moment
  ) {
    reply.status = head.status
    reply.isStream = head.isStream
    draft.begin(head.status)
    if !head.contentType.isEmpty { draft.head.appendField("Content-Type", head.contentType.span) }
    draft.appendProviderFields(head.fields.span, for: connection)
    // An answer that has no body by its status says nothing of it (RFC 9110 §8.6, RFC 9112 §6.1).
    draft.appendFraming(for: connection, length: reply.hasBody ? length : nil, hasBody: reply.hasBody)
    if head.isStream { draft.appendStreamFields() }
    if let stored { draft.head.appendField("Age", decimal: Int64(stored.age(at: now.instant).seconds)) }
    appendOwnFields(to: &draft, reply, run: run, provider: head.providerName, now)
    end(&draft, connection)
    reply.hasHead = true
  }

  /// What every answer carries. `provider`: whose answer it is, if any's.
  func appendOwnFields(
    to draft: inout AnswerDraft, _ reply: Reply, run: ExchangeRun?, provider: String?, _ now: Moment
  ) {
    draft.head.appendField("X-Request-ID", reply.requestID.span)
    guard reply.exposesHeaders else { return }
    if let provider { draft.appendText("X-Synaxis-Provider", provider) }
    if let run, !run.exchange.attempts.isEmpty {
      draft.head.append("X-Synaxis-Attempts: ")
      AttemptList.write(
        run.exchange.attempts, run.runtime.catalog.providers, now: now.instant, into: &draft.head)
      draft.head.append("\r\n")
    }
    draft.head.appendField("X-Synaxis-Cache", reply.cacheState.name)
    if let size = run?.batch?.size, size > 1 { draft.head.appendField("X-Synaxis-Batch", decimal: size) }
    let own = overhead(of: reply, run: run)
    draft.head.append("Server-Timing: synaxis;dur=")
    draft.head.append(milliseconds: own)
    if run != nil {
      draft.head.append(", upstream;dur=")
      draft.head.append(milliseconds: now.instant - reply.acceptedAt - own)
    }
    draft.head.append("\r\n")
  }

  /// Our own time, from the request's last byte to the first attempt.
  func overhead(of reply: Reply, run: ExchangeRun?) -> Interval {
    if case .coalesced = reply.cacheState { return .zero }
    guard let opened = run?.openedAt, opened > reply.acceptedAt else { return .zero }
    return opened - reply.acceptedAt
  }
}

extension ResponseHead {
  /// The provider's own name for the request, which its support asks for: `x-request-id`, or Anthropic's
  /// `request-id`; empty where it has none.
  func requestID(in raw: Span<UInt8>) -> Range<Int> {
    value(of: .requestID) ?? value(of: "request-id", in: raw) ?? 0..<0
  }

  /// The length that the provider announced, where it is one number and counts.
  func contentLength(in raw: Span<UInt8>) -> Int64? {
    guard !isLengthVoid, let value = value(of: .contentLength) else { return nil }
    return raw.extracting(value).decimal
  }
}
