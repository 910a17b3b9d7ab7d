import Base
import Policy
import Server
import Testing

@Suite struct MetricTableTests {
  @Test func wordsTakePlacesUntilThereAreNone() {
    var words = WordList(["other", "ok"], capacity: 3)
    #expect(words.place(of: "ok") == 1)
    #expect(words.place(of: "new") == 2)
    #expect(words.place(of: "new") == 2)
    #expect(words.place(of: "one too many") == 0)
    #expect(words.words.count == 3)
  }

  @Test(arguments: [(-1, 0), (0, 0), (10, 0), (11, 1), (20, 1), (21, 2), (Int64.max, 2)] as [(Int64, Int)])
  func boundsAreInclusive(value: Int64, bucket: Int) {
    var table = HistogramTable(bounds: [10, 20])
    table.record(Interval(nanoseconds: value), SeriesKey())
    for other in 0...2 { #expect(table.count(0, bucket: other) == (other == bucket ? 1 : 0)) }
    #expect(table.sum(0) == UInt64(max(0, value)))
  }

  @Test func aSumStopsAtItsEnd() {
    var table = HistogramTable(bounds: [10])
    for _ in 0..<3 { table.record(Interval(nanoseconds: .max), SeriesKey()) }
    #expect(table.sum(0) == .max)
    #expect(table.count(0, bucket: 1) == 3)
    #expect(table.renamed { $0 }.sum(0) == .max)
  }

  @Test func seriesAreBounded() {
    var table = HistogramTable(bounds: [10])
    for model in 1...(Limits.metricSeries + 5) { table.record(1 as Quantity, SeriesKey(model: model)) }
    #expect(table.keys.count == Limits.metricSeries)
    #expect(table.count(0, bucket: 0) == 6)
    #expect(table.count(1, bucket: 0) == 1)
  }

  @Test func renamingKeepsAndDrops() {
    var table = HistogramTable(bounds: [10])
    table.record(3 as Quantity, SeriesKey(model: 1))
    table.record(4 as Quantity, SeriesKey(model: 2))
    let renamed = table.renamed { $0.model == 1 ? nil : SeriesKey(model: $0.model == 2 ? 7 : 0) }
    #expect(renamed.keys == [SeriesKey(), SeriesKey(model: 7)])
    #expect(renamed.count(1, bucket: 0) == 1)
    #expect(renamed.sum(1) == 4)
  }
}

@Suite struct MetricsTextTests {
  private func text(_ write: (inout ByteBuffer) -> Void) -> String {
    var out = ByteBuffer()
    write(&out)
    return out.withBytes { $0.text }
  }

  @Test func samples() {
    #expect(
      text {
        $0.begin("a", "_total")
        $0.end(7)
      } == "a_total 7\n")
    #expect(
      text {
        $0.begin("a")
        $0.label("b", "x\"y\\z\n" as String)
        $0.label("c", "d" as StaticString)
        $0.label("le", bound: 40_000_000, isTime: true)
        $0.end(seconds: 1_500_000_000)
      } == "a{b=\"x\\\"y\\\\z\\n\",c=\"d\",le=\"0.04\"} 1.5\n")
  }

  @Test(
    arguments: [
      (0, "0"), (1, "0.000000001"), (25_000, "0.000025"), (1_000_000_000, "1"), (81_920_000_000, "81.92"),
    ] as [(Int64, String)])
  func seconds(nanoseconds: Int64, written: String) {
    #expect(
      text {
        $0.begin("a")
        $0.end(seconds: nanoseconds)
      } == "a \(written)\n")
  }
}

@Suite struct MetricsTests {
  private func catalog(_ providers: [String], models: [String]) -> Catalog {
    var configuration = Configuration()
    configuration.providers = providers.map { name in
      var provider = Provider(name: name, type: "openai", endpoint: "http://\(name)")
      provider.models = models.map { Model(name: $0, upstreamName: $0) }
      return provider
    }
    return Catalog(configuration)
  }

  private func page(_ metrics: Metrics, _ now: Moment) -> String {
    let facts = OperatingFacts(now: now, statuses: [])
    var out = ByteBuffer()
    MetricsPage.write(metrics, facts, into: &out)
    return out.withBytes { $0.text }
  }

  @Test func aNewConfigurationKeepsWhatIsStillThere() {
    let now = Moment(instant: Instant(nanoseconds: 1), wall: WallTime(milliseconds: 1))
    let metrics = Metrics(catalog(["a", "b"], models: ["m"]), clients: [], now: now)
    #expect(page(metrics, now).contains(#"synaxis_attempts_total{provider="a",reason="ok"} 0"#))
    metrics.adopt(catalog(["b", "c"], models: ["m", "n"]), clients: [])
    let text = page(metrics, now)
    #expect(!text.contains(#"provider="a""#))
    #expect(text.contains(#"synaxis_attempts_total{provider="c",reason="ok"} 0"#))
    #expect(metrics.providers.texts == ["", "b", "c"])
  }

  @Test func refusalsAreCountedByCode() {
    let now = Moment(instant: Instant(nanoseconds: 1), wall: WallTime(milliseconds: 1))
    let metrics = Metrics(catalog(["a"], models: ["m"]), clients: [], now: now)
    metrics.record(refusal: "not_found")
    metrics.record(refusal: "not_found")
    #expect(page(metrics, now).contains(#"synaxis_refusals_total{code="not_found"} 2"#))
  }
}
