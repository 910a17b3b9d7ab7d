internal import Base
internal import Observability

// The family of `/metrics` about requests that are passed on as they are.
extension MetricsPage {
  func writePassedHead(into out: inout ByteBuffer) {
    out.family(
      format, "synaxis_passed_total", "counter",
      "Requests for a provider's own API by how they ended; of their tokens nothing is known.")
  }

  func writePassed(toProvider provider: Int, _ metrics: Metrics, into out: inout ByteBuffer) {
    for (end, word) in metrics.ends.words.enumerated() {
      let count = metrics.passed[provider * metrics.ends.capacity + end]
      if count == 0 { continue }
      out.begin("synaxis_passed_total")
      out.label("provider", metrics.providers.texts[provider])
      out.label("end", word)
      out.end(count)
    }
  }
}
