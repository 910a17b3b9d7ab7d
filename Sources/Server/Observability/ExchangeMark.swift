internal import Base
internal import Exchange
internal import Policy
internal import Wire

/// One exchange in the page's list: never a word of what was said.
struct ExchangeMark {
  /// One try, as `AttemptList` words it.
  struct Try {
    var provider = ""
    var status = 0
    var fault: StaticString?
    var time = Interval.zero
  }

  var number: UInt64 = 0
  var endedAt = WallTime(milliseconds: 0)
  var model: [UInt8] = []
  /// Whose answer it was; empty where it was nobody's.
  var provider = ""
  private(set) var tries = InlineArray<4, Try>(repeating: Try())
  /// Of all; the last of them are kept.
  private(set) var tryCount = 0
  var status = 0
  /// How it ended, in the log's word.
  var end: StaticString = ""
  var firstToken: Interval?
  var total = Interval.zero
  var cache = Reply.CacheState.bypass

  var keptTries: Range<Int> { max(0, tryCount - Limits.markedAttempts)..<tryCount }

  func attempt(_ index: Int) -> Try { tries[index % Limits.markedAttempts] }

  mutating func add(_ attempt: borrowing Attempt, provider: String, now: Instant) {
    tries[tryCount % Limits.markedAttempts] = Try(
      provider: provider, status: attempt.status, fault: attempt.fault?.reason,
      time: (attempt.endedAt ?? now) - attempt.openedAt)
    tryCount += 1
  }
}

extension Activity {
  /// A client's exchange has ended. `word` and `run` as in the log.
  func record(_ reply: Reply, run: ExchangeRun?, word: StaticString?, now: Moment) {
    let isSaved: Bool
    switch reply.cacheState {
    case .hit, .coalesced: isSaved = true
    case .bypass, .miss: isSaved = false
    }
    let first = reply.firstByteAt.map { $0 - reply.acceptedAt }
    let isStream = reply.wantsStream && reply.status == 200 && !isSaved
    count(
      isFailed: Self.isFailed(run, word), firstToken: isStream ? first : nil,
      tokensIn: run?.usage.input ?? reply.storedUsage.input ?? 0,
      tokensOut: run?.usage.output ?? reply.storedUsage.output ?? 0, isSaved: isSaved, now: now.instant
    )

    var mark = ExchangeMark()
    mark.endedAt = now.wall
    mark.model =
      reply.model.count <= Limits.markedModel ? reply.model : Array(reply.model.prefix(Limits.markedModel))
    mark.status = reply.status
    mark.end = word ?? run?.exchange.ending?.word ?? "complete"
    mark.firstToken = first
    mark.total = now.instant - reply.acceptedAt
    mark.cache = reply.cacheState
    if let run {
      let providers = run.setup.catalog.providers
      for index in run.exchange.attempts.indices {
        let name = providers[run.exchange.attempts[index].choice.provider].name
        mark.add(run.exchange.attempts[index], provider: name, now: now.instant)
      }
      if let answering = run.exchange.attempts.answeringProvider { mark.provider = providers[answering].name }
    }
    note(mark)
  }

  /// A client that left or read too slowly, and a request that was wrong, are no failures.
  private static func isFailed(_ run: ExchangeRun?, _ word: StaticString?) -> Bool {
    if word != nil { return false }
    switch run?.exchange.ending {
    case .failed(let error): return error.row.side != .client
    case .cut, .stalled: return true
    case .complete, .relayed, .clientLeft, nil: return false
    }
  }
}
