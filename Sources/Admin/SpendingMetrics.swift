internal import Base
internal import Observability
internal import Policy

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
