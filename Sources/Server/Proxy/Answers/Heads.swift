internal import Base
internal import Downstream
internal import Exchange
internal import Policy
internal import Upstream
internal import Wire

// Heads of answers. Each is composed in `scratch`.
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
    page.removeAll()
    withResponseHead(transfer) { raw in
      for field in responseHead.fields where responseHead.crosses(field, in: raw) {
        let value = raw.extracting(field.value)
        if field.known == .contentType, head.contentType.isEmpty {
          head.contentType =
            value.equals(Self.jsonType.span) ? Self.jsonType : value.array
        } else {
          page.append(field, of: raw)
        }
      }
      if let id = responseHead.value(of: .requestID) {
        page.appendField("X-Upstream-Request-ID", raw.extracting(id))
      }
      run.length = responseHead.contentLength(in: raw)
    }
    // The body's first bytes outweigh the name that the provider gave it.
    if ResponseHead.isEventStream(head.contentType.span) != head.isStream {
      if head.isStream {
        head.contentType = Self.eventsType
      } else if !head.contentType.isEmpty {
        head.contentType = Self.jsonType
      }
    }
    head.fields = page.withBytes { $0.array }
    return head
  }

  /// The head of an answer that is shared or stored. `stored`: the entry it comes from.
  func composeHead(
    _ head: AnswerHead, _ reply: Reply, _ connection: Connection, run: ExchangeRun?, length: Int64?,
    stored: CachedAnswer?, _ now: Moment
  ) {
    reply.status = head.status
    reply.chooseFraming(length: length)
    reply.isStream = head.isStream
    scratch.appendStatusLine(head.status)
    if !head.contentType.isEmpty { scratch.appendField("Content-Type", head.contentType.span) }
    appendProviderFields(head.fields.span, for: connection)
    appendLength(reply, length)
    if head.isStream { appendStreamFields() }
    if let stored { scratch.appendField("Age", decimal: Int64(stored.age(at: now.instant).seconds)) }
    appendOwnFields(reply, run: run, provider: head.providerName, now)
    appendConnectionField(connection, closes: reply.isCloseDelimited)
    scratch.appendHeadEnd()
    reply.hasHead = true
  }

  /// Where the body ends. An answer that has none by its status says nothing of it (RFC 9110 §8.6, RFC 9112 §6.1).
  func appendLength(_ reply: Reply, _ length: Int64?) {
    if !reply.hasBody { return }
    if let length {
      scratch.appendField("Content-Length", decimal: length)
    } else if reply.framing == .chunked {
      scratch.appendField("Transfer-Encoding", "chunked")
    }
  }

  /// No proxy on the way may keep or hold back an event stream (nginx heeds the second).
  func appendStreamFields() {
    scratch.appendField("Cache-Control", "no-cache, no-transform")
    scratch.appendField("X-Accel-Buffering", "no")
  }

  /// What every answer carries. `provider`: whose answer it is, if any's.
  func appendOwnFields(_ reply: Reply, run: ExchangeRun?, provider: String?, _ now: Moment) {
    scratch.appendField("X-Request-ID", reply.requestID.span)
    guard reply.exposesHeaders else { return }
    if let provider {
      scratch.append("X-Synaxis-Provider: ")
      scratch.append(provider)
      scratch.append("\r\n")
    }
    if let run, !run.exchange.attempts.isEmpty {
      scratch.append("X-Synaxis-Attempts: ")
      AttemptList.write(
        run.exchange.attempts, run.runtime.catalog.providers, now: now.instant, into: &scratch)
      scratch.append("\r\n")
    }
    scratch.appendField("X-Synaxis-Cache", reply.cacheState.name)
    if let size = run?.batch?.size, size > 1 { scratch.appendField("X-Synaxis-Batch", decimal: size) }
    let own = overhead(of: reply, run: run)
    scratch.append("Server-Timing: synaxis;dur=")
    scratch.append(milliseconds: own)
    if run != nil {
      scratch.append(", upstream;dur=")
      scratch.append(milliseconds: now.instant - reply.acceptedAt - own)
    }
    scratch.append("\r\n")
  }

  /// Our own time, from the request's last byte to the first attempt.
  func overhead(of reply: Reply, run: ExchangeRun?) -> Interval {
    if case .coalesced = reply.cacheState { return .zero }
    guard let opened = run?.openedAt, opened > reply.acceptedAt else { return .zero }
    return opened - reply.acceptedAt
  }

  /// The last fields of every answer: for this client, and for its connection.
  func appendConnectionField(_ connection: Connection, closes: Bool) {
    appendAccessFields(connection)
    if closes || !connection.keepsAlive || isDraining {
      scratch.appendField("Connection", "close")
    } else if connection.parser.head.minorVersion == 0 {
      scratch.appendField("Connection", "keep-alive")
    }
  }

  func appendRetryAfter(_ error: LocalError) {
    if let time = error.retryAfter {
      scratch.appendField("Retry-After", decimal: max(1, time.wholeSecondsUp))
    }
  }
}

extension ResponseHead {
  /// The provider's own name for the request, which its support asks for: `x-request-id`, or Anthropic's
  /// `request-id`; empty where it has none.
  func requestID(in raw: Span<UInt8>) -> Range<Int> {
    value(of: .requestID) ?? value(of: "request-id", in: raw) ?? 0..<0
  }

  /// The length that the provider announced, where it is one number.
  func contentLength(in raw: Span<UInt8>) -> Int64? {
    guard let value = value(of: .contentLength) else { return nil }
    return raw.extracting(value).decimal
  }
}
