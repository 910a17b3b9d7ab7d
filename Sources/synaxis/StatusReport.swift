internal import Base
internal import Wire

/// `GET /admin/health` as it was read.
struct StatusReport {
  struct Row {
    var name = ""
    var state = ""
    var tier = "-"
    var latency = "-"
    var successRate = "-"
    var inFlight = "-"
    var quota = "-"
    /// How long it is left alone, and why.
    var why = ""
  }

  var overall = ""
  var version = ""
  /// Of the instance's clock, as it was sent.
  var timestamp = ""
  var rows: [Row] = []
  /// What the cache does, in words; nil: the instance does not tell.
  var cache: String?
  /// What was spent and saved, in words; nil where no price is known.
  var savings: String?

  /// Nil where the body is not what `/admin/health` answers.
  init?(_ body: Span<UInt8>) {
    var probe = JSONProbe()
    do throws(JSONFault) { try probe.scan(body) } catch { return nil }
    guard let list = body.jsonMember("providers", in: probe.root), list.kind == .array else { return nil }
    overall = Self.text(body, "overallStatus", probe.root) ?? ""
    version = Self.text(body, "version", probe.root) ?? ""
    timestamp = Self.text(body, "timestamp", probe.root) ?? ""
    let now = HTTPDate.parseRFC3339(timestamp.utf8Span.span)
    var cursor = JSONCursor(list)
    var input = 0.0
    var cached = 0.0
    while let provider = cursor.next(body) {
      rows.append(Self.row(body, provider, now))
      guard let tokens = body.jsonMember("tokens", in: provider) else { continue }
      input += Self.number(body, "input", tokens) ?? 0
      cached += Self.number(body, "cached", tokens) ?? 0
    }
    savings = Self.savingsLine(body, probe.root, cachedShare: input > 0 ? cached / input : 0)
    guard let services = body.jsonMember("services", in: probe.root), services.kind == .array else { return }
    cursor = JSONCursor(services)
    while let service = cursor.next(body) {
      if Self.text(body, "name", service) == "cache" { cache = Self.cacheLine(body, service) }
    }
  }

  private static func cacheLine(_ body: Span<UInt8>, _ cache: JSONMember) -> String? {
    if text(body, "status", cache) == "disabled" { return "cache: off" }
    func count(_ key: StaticString) -> Int? { number(body, key, cache).map { Int(clamped: $0) } }
    guard let entries = count("entries"), let bytes = count("bytes"), let hits = count("hit"),
      let misses = count("miss"), let coalesced = count("coalesced"), let evicted = count("evicted"),
      let saved = count("callsSaved")
    else { return nil }
    return
      "cache: hits \(hits), misses \(misses), coalesced \(coalesced), upstream calls saved \(saved); "
      + "answers \(entries) in \((bytes + 1023) / 1024) KiB, evicted \(evicted)"
  }

  private static func savingsLine(_ body: Span<UInt8>, _ root: JSONMember, cachedShare: Double) -> String? {
    guard let savings = body.jsonMember("savings", in: root), savings.kind == .object else { return nil }
    func money(_ key: StaticString) -> Double { number(body, key, savings) ?? 0 }
    let parts: [(String, Double)] = [
      ("tiers", money("tiers")), ("prompt caches", money("promptCache")), ("cache", money("responseCache")),
      ("coalescing", money("coalescing")),
    ]
    let saved = parts.reduce(0) { $0 + $1.1 }
    guard money("spent") + saved > 0 else { return nil }
    let told = parts.filter { $0.1 > 0 }.map { "\($0.0) \(dollars($0.1))" }
    let share = Int(clamped: cachedShare * 1000)
    return "spent \(dollars(money("spent"))), saved \(dollars(saved))"
      + (told.isEmpty ? "" : " (\(told.joined(separator: ", ")))")
      + "; \(share / 10).\(share % 10) % of the input was cached"
  }

  /// To a hundredth of a cent.
  private static func dollars(_ amount: Double) -> String {
    let parts = Int64(max(0, min(1e14, amount)) * 10_000 + 0.5)
    let rest = String(parts % 10_000)
    return "$\(parts / 10_000)." + String(repeating: "0", count: 4 - rest.utf8.count) + rest
  }

  private static func row(_ body: Span<UInt8>, _ provider: JSONMember, _ now: WallTime?) -> Row {
    var row = Row()
    row.name = text(body, "name", provider) ?? ""
    row.state = text(body, "status", provider) ?? ""
    if let tier = number(body, "tier", provider) { row.tier = "\(Int(clamped: tier))" }
    if let latency = number(body, "latency", provider) { row.latency = duration(latency) }
    if let rate = number(body, "successRate", provider) {
      let tenths = Int(clamped: rate * 1000)
      row.successRate = "\(tenths / 10).\(tenths % 10) %"
    }
    if let count = number(body, "inFlight", provider) { row.inFlight = "\(Int(clamped: count))" }
    if let quota = body.jsonMember("quota", in: provider) {
      var parts: [String] = []
      if let left = number(body, "requests", quota) { parts.append("\(Int(clamped: left)) req") }
      if let left = number(body, "tokens", quota) { parts.append("\(Int(clamped: left)) tok") }
      if !parts.isEmpty { row.quota = parts.joined(separator: ", ") }
    }
    var words: [String] = []
    if let until = text(body, "cooldownUntil", provider).flatMap({ HTTPDate.parseRFC3339($0.utf8Span.span) }),
      let now
    {
      words.append(span(seconds: max(0, until.milliseconds - now.milliseconds + 999) / 1000))
    }
    if let reason = text(body, "reason", provider) { words.append(reason) }
    // Good or bad: nobody knows yet.
    if row.state == "online", words.isEmpty, text(body, "lastChecked", provider) == nil {
      words.append("not asked yet")
    }
    row.why = words.joined(separator: " ")
    return row
  }

  /// A string member without control characters: it goes to a terminal.
  private static func text(_ body: Span<UInt8>, _ key: StaticString, _ object: JSONMember) -> String? {
    guard let member = body.jsonMember(key, in: object) else { return nil }
    var decoded = ByteBuffer()
    guard body.jsonString(member, into: &decoded) else { return nil }
    var text = ""
    for scalar in decoded.withBytes({ $0.text }).unicodeScalars {
      let isControl = scalar.value < 32 || (scalar.value >= 127 && scalar.value < 160)
      text.unicodeScalars.append(isControl ? "?" : scalar)
    }
    return text
  }

  private static func number(_ body: Span<UInt8>, _ key: StaticString, _ object: JSONMember) -> Double? {
    body.jsonMember(key, in: object).flatMap { body.jsonDouble($0) }
  }

  private static func duration(_ milliseconds: Double) -> String {
    if milliseconds >= 10_000 { return "\(Int(clamped: milliseconds / 1000)) s" }
    if milliseconds >= 10 { return "\(Int(clamped: milliseconds)) ms" }
    let tenths = Int(clamped: milliseconds * 10)
    return "\(tenths / 10).\(tenths % 10) ms"
  }

  /// `45s`, `4m05s`, `1h02m`.
  static func span(seconds: Int64) -> String {
    func two(_ n: Int64) -> String { n < 10 ? "0\(n)" : "\(n)" }
    if seconds < 60 { return "\(seconds)s" }
    if seconds < 3600 { return "\(seconds / 60)m\(two(seconds % 60))s" }
    return "\(seconds / 3600)h\(two(seconds / 60 % 60))m"
  }
}

extension Int {
  /// The nearest whole number; absurd ones become the largest.
  init(clamped value: Double) {
    self = value.isNaN ? 0 : Int(clamping: Int64(Swift.max(-1e15, Swift.min(1e15, value)).rounded()))
  }
}
