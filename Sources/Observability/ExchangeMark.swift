package import Base
internal import Exchange
package import Policy
internal import Wire

/// One exchange in the page's list: never a word of what was said.
package struct ExchangeMark {
  /// One try, as `AttemptList` words it.
  package struct Try {
    package var provider = ""
    package var status = 0
    package var fault: StaticString?
    package var time = Interval.zero
  }

  package var number: UInt64 = 0
  package var endedAt = WallTime(milliseconds: 0)
  package var model: [UInt8] = []
  /// Whose answer it was; empty where it was nobody's.
  package var provider = ""
  private(set) var tries = InlineArray<4, Try>(repeating: Try())
  /// Of all; the last of them are kept.
  package private(set) var tryCount = 0
  package var status = 0
  /// How it ended, in the log's word.
  package var end: StaticString = ""
  package var firstToken: Interval?
  package var total = Interval.zero
  package var cache = CacheState.bypass

  package var keptTries: Range<Int> { max(0, tryCount - Limits.markedAttempts)..<tryCount }

  package func attempt(_ index: Int) -> Try { tries[index % Limits.markedAttempts] }

  /// It is another exchange's from now on.
  mutating func forgetTries() { tryCount = 0 }

  mutating func add(_ attempt: borrowing Attempt, provider: String, now: Instant) {
    tries[tryCount % Limits.markedAttempts] = Try(
      provider: provider, status: attempt.status, fault: attempt.fault?.reason,
      time: (attempt.endedAt ?? now) - attempt.openedAt)
    tryCount += 1
  }
}

extension Activity {
  /// A client's answer is over.
  package func record(_ request: borrowing RequestRecord, now: Moment) {
    let isSaved = request.cacheState.isShared
    let isStream = request.wantsStream && request.status == 200 && !isSaved
    count(
      isFailed: Self.isFailed(request), firstToken: isStream ? request.firstByte : nil,
      tokensIn: request.usage.input ?? request.storedUsage.input ?? 0,
      tokensOut: request.usage.output ?? request.storedUsage.output ?? 0, isSaved: isSaved, now: now.instant)

    note { mark in fill(&mark, from: request, now) }
  }

  private func fill(_ mark: inout ExchangeMark, from request: borrowing RequestRecord, _ now: Moment) {
    mark.endedAt = now.wall
    mark.model =
      request.model.count <= Limits.markedModel
      ? request.model : Array(request.model.prefix(Limits.markedModel))
    mark.status = request.status
    mark.end = request.end
    mark.firstToken = request.firstByte
    mark.total = request.total
    mark.cache = request.cacheState
    mark.forgetTries()
    for index in request.attempts.indices {
      let name = request.providers[request.attempts[index].choice.provider].name
      mark.add(request.attempts[index], provider: name, now: now.instant)
    }
    if let answering = request.attempts.answeringProvider {
      mark.provider = request.providers[answering].name
    } else {
      mark.provider = ""
    }
  }

  /// A client that left or read too slowly, and a request that was wrong, are no failures.
  private static func isFailed(_ request: borrowing RequestRecord) -> Bool {
    if request.word != nil { return false }
    switch request.ending {
    case .failed(let error): return error.row.side != .client
    case .cut, .stalled: return true
    case .complete, .relayed, .clientLeft, nil: return false
    }
  }
}
