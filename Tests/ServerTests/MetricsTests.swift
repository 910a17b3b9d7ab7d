import Base
import Observability
import Policy
import Server
import Testing
import Wire

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
    #expect(
      text {
        $0.begin("a", "_bucket")
        $0.label("le", bound: 2_000_000_000, isTime: true)
        $0.end(1)
        $0.begin("b", "_bucket")
        $0.label("le", bound: 4, isTime: false)
        $0.end(1)
      } == "a_bucket{le=\"2.0\"} 1\nb_bucket{le=\"4.0\"} 1\n")
  }

  @Test func families() {
    #expect(
      text { $0.single(.prometheus, "a_total", "counter", "What it is.", 1) }
        == "# HELP a_total What it is.\n# TYPE a_total counter\na_total 1\n")
    #expect(
      text { $0.single(.openMetrics, "a_total", "counter", "What it is.", 1) }
        == "# HELP a What it is.\n# TYPE a counter\na_total 1\n")
    #expect(
      text { $0.family(.openMetrics, "total", "gauge", "What it is.") }
        == "# HELP total What it is.\n# TYPE total gauge\n")
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

  private let now = Moment(instant: Instant(nanoseconds: 1), wall: WallTime(milliseconds: 1))

  private func page(_ metrics: Metrics, _ catalog: Catalog) -> String {
    pieces(MetricsPage(metrics, HealthStore(catalog, seed: 1), OperatingFacts()), of: 1 << 30)[0]
  }

  /// What each call of `write` adds, after `between` was called with the number of those before.
  private func pieces(_ page: MetricsPage, of size: Int, between: (Int) -> Void = { _ in }) -> [String] {
    var page = page
    var pieces: [String] = []
    var goesOn = true
    while goesOn {
      var out = ByteBuffer()
      goesOn = page.write(upTo: size, now: now.instant, into: &out)
      pieces.append(out.withBytes { $0.text })
      between(pieces.count)
    }
    return pieces
  }

  @Test func aNewConfigurationKeepsWhatIsStillThere() {
    let first = catalog(["a", "b"], models: ["m"])
    let metrics = Metrics(first, clients: [], now: now)
    #expect(page(metrics, first).contains(#"synaxis_attempts_total{provider="a",reason="ok"} 0"#))
    let second = catalog(["b", "c"], models: ["m", "n"])
    metrics.adopt(second, clients: [])
    let text = page(metrics, second)
    #expect(!text.contains(#"provider="a""#))
    #expect(text.contains(#"synaxis_attempts_total{provider="c",reason="ok"} 0"#))
    #expect(metrics.providers.texts == ["", "b", "c"])
  }

  @Test func refusalsAreCountedByCode() {
    let catalog = catalog(["a"], models: ["m"])
    let metrics = Metrics(catalog, clients: [], now: now)
    metrics.record(refusal: "not_found")
    metrics.record(refusal: "not_found")
    #expect(page(metrics, catalog).contains(#"synaxis_refusals_total{code="not_found"} 2"#))
  }

  /// As in a busy instance: each of so many models has counted.
  private func busy(_ catalog: Catalog, models: Int) -> Metrics {
    let metrics = Metrics(catalog, clients: [], now: now)
    for model in 0..<models { count(model, in: metrics) }
    return metrics
  }

  private func count(_ model: Int, in metrics: Metrics) {
    var usage = TokenUsage()
    usage.input = Quantity(model)
    usage.output = 1
    metrics.record(usage, SeriesKey(model: model + 1))
  }

  /// However small the pieces, together they are the same page, and each is one entry beyond what was asked for.
  @Test(arguments: [1, 100, 4096, 16 * 1024, 1 << 20])
  func piecesMakeThePage(size: Int) {
    let catalog = catalog(["a", "b"], models: (0..<200).map { "model-\($0)" })
    let metrics = busy(catalog, models: 200)
    let health = HealthStore(catalog, seed: 1)
    func processless(_ text: String) -> [Substring] {
      text.split(separator: "\n").filter { !$0.hasPrefix("process_") }
    }
    let whole = pieces(MetricsPage(metrics, health, OperatingFacts()), of: 1 << 30)
    let cut = pieces(MetricsPage(metrics, health, OperatingFacts()), of: size)
    #expect(whole.count == 1 && (cut.count > 1 || size > whole[0].utf8.count))
    #expect(processless(cut.joined()) == processless(whole[0]))
    for piece in cut { #expect(piece.utf8.count < size + 8 * 1024) }
  }

  /// Exchanges end while the page is written: each series counts the same in all of its rows.
  @Test func theRowsOfASeriesAreOfOneMoment() {
    let catalog = catalog(["a"], models: (0..<50).map { "model-\($0)" })
    let metrics = busy(catalog, models: 40)
    var rows: [String: [String: Int]] = [:]
    let all = pieces(MetricsPage(metrics, HealthStore(catalog, seed: 1), OperatingFacts()), of: 1) { number in
      for model in 0..<50 where (model + number) % 3 == 0 { count(model, in: metrics) }
    }
    let name = "gen_ai_client_token_usage_"
    for line in all.joined().split(separator: "\n") where line.hasPrefix(name) {
      let labels = line.split(separator: "\"", omittingEmptySubsequences: false)
      let model = labels[5] + labels[7]
      let value = Int(line.split(separator: " ").last!)!
      if line.contains("le=\"+Inf\"") { rows[String(model), default: [:]]["buckets"] = value }
      if line.hasPrefix(name + "count") { rows[String(model), default: [:]]["count"] = value }
    }
    #expect(rows.count == 100)
    for (model, row) in rows { #expect(row["buckets"] == row["count"] && row["count"] != nil, "\(model)") }
  }

  @Test func aPageIsOutdatedByOtherNames() {
    let catalog = catalog(["a"], models: ["m"])
    let metrics = Metrics(catalog, clients: [], now: now)
    let page = MetricsPage(metrics, HealthStore(catalog, seed: 1), OperatingFacts())
    #expect(!page.isOutdated)
    metrics.adopt(catalog, clients: [])
    #expect(page.isOutdated)
  }
}
