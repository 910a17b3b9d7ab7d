internal import Base
internal import Observability
internal import Policy

// The families of `/metrics` about requests that are sent as one.
extension MetricsPage {
  func writeBatchesHead(into out: inout ByteBuffer) {
    out.family(
      format, "synaxis_provider_batches_total", "counter",
      "Calls with the inputs of several requests for embeddings.")
  }

  func writeBatchedRequestsHead(into out: inout ByteBuffer) {
    out.family(
      format, "synaxis_provider_batched_requests_total", "counter",
      "Requests for embeddings that went along in such calls.")
  }

  /// One provider's row, where its requests are sent together: those requests, or the calls.
  func writeBatches(
    _ isOfRequests: Bool, of provider: Provider, _ metrics: Metrics, into out: inout ByteBuffer
  ) {
    if provider.batch == nil { return }
    let place = metrics.providers.place(of: provider.name)
    out.begin(isOfRequests ? "synaxis_provider_batched_requests_total" : "synaxis_provider_batches_total")
    out.label("provider", provider.name)
    out.end(isOfRequests ? metrics.batched[place] : metrics.batches[place])
  }
}
