internal import Base
internal import Policy

// The sections of plain settings: each fills its struct, and leaves the default where a value is missing or wrong.

extension Reader {
  mutating func readLimits(_ node: Node) {
    guard
      let section = section(
        node, "limits",
        keys: ["concurrent_requests", "queue", "connections", "request_body", "header", "memory"],
        synonyms: ["maxconcurrentrequests": "concurrent_requests", "maxrequestbodysize": "request_body"])
    else { return }
    if let n = whole("concurrent_requests", in: section, 1...100_000) {
      configuration.limits.concurrentRequests = n
    }
    if let n = whole("queue", in: section, 0...1_000_000) { configuration.limits.queue = n }
    if let n = whole("connections", in: section, 1...1_000_000) { configuration.limits.connections = n }
    if let n = size("request_body", in: section, 1024...Units.most(32)) {
      configuration.limits.requestBody = n
    }
    if let n = size("header", in: section, 1024...(1 << 20)) { configuration.limits.header = n }
    if let n = size("memory", in: section, (1 << 20)...Units.most(40)) { configuration.limits.memory = n }
    checkMemory(at: section["memory"]?.mark ?? section.place(of: "request_body"))
  }

  private mutating func checkMemory(at mark: Mark) {
    let limits = configuration.limits
    if limits.requestBody <= limits.memory { return }
    error(
      mark,
      "limits.request_body (\(Units.text(bytes: limits.requestBody))) must fit into limits.memory (\(Units.text(bytes: limits.memory)))"
    )
  }

  mutating func readTimeouts(_ node: Node) {
    guard
      let section = section(
        node, "timeouts",
        keys: ["failover", "connect", "first_token", "stream_idle", "request", "drain"],
        synonyms: ["requesttimeout": "request"])
    else { return }
    let day = Interval.seconds(86400)
    let millisecond = Interval.milliseconds(1)
    if let t = duration("failover", in: section, millisecond...day) { configuration.timeouts.failover = t }
    if let t = duration("connect", in: section, millisecond...day) { configuration.timeouts.connect = t }
    if let t = duration("first_token", in: section, millisecond...day) {
      configuration.timeouts.firstToken = t
    }
    if let t = duration("stream_idle", in: section, millisecond...day) {
      configuration.timeouts.streamIdle = t
    }
    if let t = duration("request", in: section, millisecond...day) { configuration.timeouts.request = t }
    if let t = duration("drain", in: section, .zero...day) { configuration.timeouts.drain = t }
    let timeouts = configuration.timeouts
    if timeouts.failover > timeouts.connect {
      error(
        section["failover"]?.mark ?? section.place(of: "connect"),
        "timeouts.failover (\(Units.text(timeouts.failover))) must not be longer than timeouts.connect (\(Units.text(timeouts.connect)))"
      )
    }
  }

  /// `cache: {…}`, or `cache: off`.
  mutating func readCache(_ node: Node) {
    if case .scalar = node.content {
      if let flag = flag(node, "cache") { configuration.cache.enabled = flag }
      return
    }
    guard
      let section = section(
        node, "cache",
        keys: ["enabled", "sampled", "ttl", "size", "vary", "coalesce", "replay", "max_temperature"])
    else { return }
    if let flag = flag("enabled", in: section) { configuration.cache.enabled = flag }
    if let flag = flag("sampled", in: section) { configuration.cache.sampled = flag }
    if let t = duration("ttl", in: section, .seconds(1)...Interval.seconds(30 * 86400)) {
      configuration.cache.ttl = t
    }
    if let n = size("size", in: section, (16 << 10)...Units.most(36)) { configuration.cache.size = n }
    if section["vary"] != nil {
      configuration.cache.vary = texts("vary", in: section).compactMap { text, mark in
        if HeaderField.isName(text) { return lowercased(text) }
        error(mark, "cache.vary: not a header's name")
        return nil
      }
    }
    if let flag = flag("coalesce", in: section) { configuration.cache.coalesce = flag }
    if let word = choice("replay", in: section, ["at_once", "paced"]) {
      configuration.cache.replay = word == "paced" ? .paced : .atOnce
    }
    if let bound = number("max_temperature", in: section, 0...10) {
      configuration.cache.maxTemperature = bound
      if !configuration.cache.sampled {
        warn(
          section.place(of: "max_temperature"),
          "cache.max_temperature bounds nothing: only requests with temperature 0 are cached",
          hint: "write sampled: true beside it")
      }
    }
  }

  mutating func readLog(_ node: Node) {
    guard let section = section(node, "log", keys: ["format", "level"]) else { return }
    if let word = choice("format", in: section, ["logfmt", "json"]) {
      configuration.log.format = word == "json" ? .json : .logfmt
    }
    switch choice("level", in: section, ["error", "warning", "warn", "info", "debug", "none"]) {
    case "error": configuration.log.level = .error
    case "warning", "warn": configuration.log.level = .warning
    case "info": configuration.log.level = .info
    case "debug": configuration.log.level = .debug
    case "none": configuration.log.level = .silent
    default: break
    }
  }

  mutating func readCORS(_ node: Node) {
    guard let section = section(node, "cors", keys: ["origins"], synonyms: ["allowedorigins": "origins"])
    else { return }
    configuration.corsOrigins = texts("origins", in: section).compactMap { text, mark in
      if text == "*" {
        error(
          mark, "cors.origins: \"*\" would let any web page spend your quota",
          hint: "list the origins that may call")
        return nil
      }
      let bytes = Array(text.utf8)
      guard let scheme = bytes.span.firstRange(of: "://"), scheme > 0, scheme + 3 < bytes.count,
        !bytes[(scheme + 3)...].contains(UInt8(ascii: "/")), !bytes.contains(where: { $0 <= 32 || $0 >= 127 })
      else {
        error(mark, "cors.origins: an origin is scheme://host[:port], without a slash at its end")
        return nil
      }
      return lowercased(text)
    }
  }

  mutating func readHosts(_ node: Node) {
    configuration.hosts = items(of: node).compactMap { item in
      guard let text = text(item, "hosts") else { return nil }
      if text.isEmpty || text.utf8.contains(where: { $0 <= 32 || $0 >= 127 || $0 == UInt8(ascii: "/") }) {
        error(item.mark, "hosts: a name or address, without scheme and path")
        return nil
      }
      return lowercased(text)
    }
  }

  /// `hedge: 2s`, or `off`.
  mutating func readHedge(in section: Section) {
    guard let node = section["hedge"] else { return }
    if case .scalar(let raw, _) = node.content, Self.flag(raw) == false { return }
    configuration.hedge = duration("hedge", in: section, .milliseconds(100)...Interval.seconds(3600))
  }

  /// The bare settings of an appsettings.json, which have sections of their own here.
  mutating func readServerSettings(in section: Section) {
    if let t = duration("RequestTimeout", in: section, .milliseconds(1)...Interval.seconds(86400)) {
      configuration.timeouts.request = t
    }
    if let n = whole("MaxConcurrentRequests", in: section, 1...100_000) {
      configuration.limits.concurrentRequests = n
    }
    if let n = size("MaxRequestBodySize", in: section, 1024...Units.most(32)) {
      configuration.limits.requestBody = n
    }
    if let flag = flag("EnableResponseCaching", in: section) {
      configuration.cache.enabled = flag
      configuration.cache.sampled = flag
    }
  }

  func lowercased(_ text: String) -> String {
    String(decoding: text.utf8.map { $0.asciiLowercased }, as: UTF8.self)
  }
}
