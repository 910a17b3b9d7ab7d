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
    while let provider = cursor.next(body) { rows.append(Self.row(body, provider, now)) }
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
