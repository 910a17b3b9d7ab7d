internal import Base
internal import Exchange
internal import Kernel
internal import Observability
internal import Policy
internal import Wire

// What answers cost, and who is charged for them.
extension Runner {
  /// An attempt is about to end, and its answer may have told its tokens. A stored response tells those that it cost when
  /// it was made.
  func noteCost(_ run: ExchangeRun, _ attempt: Int) {
    if run.stored != nil { run.usage = TokenUsage() }
    guard run.usage.isKnown, run.exchange.attempts[attempt].isLive else { return }
    let tokens = TokenCounts(run.usage)
    run.bill = run.runtime.health.charge(
      run.exchange.attempts[attempt].ticket, tokens, of: run.exchange.shape.route)
  }

  /// What a request may come to, where its client has a limit: as much as at the dearest candidate.
  func estimate(_ shape: ExchangeShape, for account: ClientAccount?) -> Money {
    guard account?.spendPerDay != nil else { return .none }
    return runtime.catalog.worth(shape.likelyTokens, of: shape.route)
  }

  /// Nil where the client's money for the day is enough.
  func spendingRefusal(of account: ClientAccount?, _ shape: ExchangeShape, now: Moment) -> LocalError? {
    guard let account, let limit = account.spendPerDay else { return nil }
    let due = account.spending.due(
      estimate(shape, for: account), limit: limit, on: runtime.health.day, now: now.instant)
    return due > now.instant ? .clientSpent(due - now.instant) : nil
  }

  /// The exchange is over: who asked first pays for it. Where its usage was not told, since a stream need not tell it or
  /// the client left in the middle, it is taken for what was likely.
  func settleCost(_ run: ExchangeRun) {
    guard let payer = run.payer else { return }
    var spent = run.bill?.spent ?? .none
    if run.bill == nil {
      for attempt in run.exchange.attempts where attempt.sentAt != nil && attempt.mayHaveCost {
        let shape = run.exchange.shape
        spent +=
          run.runtime.catalog.bill(shape.likelyTokens, at: attempt.choice.candidate, of: shape.route).spent
      }
    }
    payer.spending.settle(reserved: run.estimate, spent: spent, on: run.runtime.health.day)
  }
}

extension ExchangeShape {
  /// As far as the request tells.
  fileprivate var likelyTokens: TokenCounts {
    TokenCounts(
      input: estimatedTokens - answerTokens, output: answerTokens == 0 ? Limits.assumedAnswer : answerTokens)
  }
}

extension Attempt {
  /// It was answered, or left in the middle of its answer.
  fileprivate var mayHaveCost: Bool { fault == nil || fault == .clientGone || fault == .cut }
}

extension TokenCounts {
  init(_ usage: TokenUsage) {
    self.init(input: usage.input ?? 0, cached: usage.cached ?? 0, output: usage.output ?? 0)
  }
}

// The families of `/metrics` about money.
extension MetricsPage {
  func writeCachedTokensHead(into out: inout ByteBuffer) {
    out.family(
      format, "synaxis_provider_cached_input_tokens_total", "counter",
      "Tokens of prompts that the provider had cached, as its answers told.")
  }

  func writeSpendingHead(into out: inout ByteBuffer) {
    out.family(
      format, "synaxis_provider_spent_usd_total", "counter",
      "What its answers cost by the prices of the tier file.")
  }

  func writeSavingsHead(into out: inout ByteBuffer) {
    out.family(
      format, "synaxis_saved_usd_total", "counter",
      "What answers would have cost more, for tiers at the dearest candidate.")
  }

  func writeSpending(_ status: ProviderStatus, into out: inout ByteBuffer) {
    if status.bill.spent == .none, status.spendPerDay == nil { return }
    out.begin("synaxis_provider_spent_usd_total")
    out.label("provider", status.name)
    out.end(seconds: status.bill.spent.billionths)
  }

  func writeCachedTokens(_ status: ProviderStatus, into out: inout ByteBuffer) {
    out.begin("synaxis_provider_cached_input_tokens_total")
    out.label("provider", status.name)
    out.end(status.tokens.cached.value)
  }

  func writeSavings(_ savings: Savings, into out: inout ByteBuffer) {
    func row(_ name: StaticString, _ money: Money) {
      out.begin("synaxis_saved_usd_total")
      out.label("by", name)
      out.end(seconds: money.billionths)
    }
    row("response_cache", savings.responseCache)
    row("coalescing", savings.coalescing)
    row("prompt_cache", savings.promptCache)
    row("tiers", savings.tiers)
  }
}
