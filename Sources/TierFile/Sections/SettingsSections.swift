internal import Base
internal import Policy

// The sections of plain settings: each fills its struct, and leaves the default where a value is missing or wrong.

extension Reader {
  mutating func readLimits(_ node: Node) {
    guard
      let section = section(
        node, "limits", .limits,
        synonyms: ["maxconcurrentrequests": "concurrent_requests", "maxrequestbodysize": "request_body"])
    else { return }
    if let n = whole("concurrent_requests", in: section) {
      configuration.limits.concurrentRequests = n
    }
    if let n = whole("queue", in: section) { configuration.limits.queue = n }
    if let n = whole("connections", in: section) { configuration.limits.connections = n }
    if let n = size("request_body", in: section) {
      configuration.limits.requestBody = n
    }
    if let n = size("header", in: section) { configuration.limits.header = n }
    if let n = size("memory", in: section) { configuration.limits.memory = n }
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
        node, "timeouts", .timeouts,
        synonyms: ["requesttimeout": "request"])
    else { return }
    if let t = duration("failover", in: section) { configuration.timeouts.failover = t }
    if let t = duration("connect", in: section) { configuration.timeouts.connect = t }
    if let t = duration("first_token", in: section) {
      configuration.timeouts.firstToken = t
    }
    if let t = duration("stream_idle", in: section) {
      configuration.timeouts.streamIdle = t
    }
    if let t = duration("request", in: section) { configuration.timeouts.request = t }
    if let t = duration("drain", in: section) { configuration.timeouts.drain = t }
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
        node, "cache", .cache)
    else { return }
    if let flag = flag("enabled", in: section) { configuration.cache.enabled = flag }
    if let flag = flag("sampled", in: section) { configuration.cache.sampled = flag }
    if let t = duration("ttl", in: section) {
      configuration.cache.ttl = t
    }
    if let n = size("size", in: section) { configuration.cache.size = n }
    if section["vary"] != nil {
      configuration.cache.vary = texts("vary", in: section).compactMap { text, mark in
        if HeaderField.isName(text) { return lowercased(text) }
        error(mark, "cache.vary: not a header's name")
        return nil
      }
    }
    if let flag = flag("coalesce", in: section) { configuration.cache.coalesce = flag }
    if let word = choice("replay", in: section) {
      configuration.cache.replay = word == "paced" ? .paced : .atOnce
    }
    if let bound = number("max_temperature", in: section) {
      configuration.cache.maxTemperature = bound
      if !configuration.cache.sampled {
        warn(
          section.place(of: "max_temperature"),
          "cache.max_temperature bounds nothing: only requests with temperature 0 are cached",
          hint: "write sampled: true beside it")
      }
    }
  }

  /// `affinity: {…}`, or `affinity: off`.
  mutating func readAffinity(_ node: Node) {
    if case .scalar = node.content {
      if let flag = flag(node, "affinity") { configuration.affinity.enabled = flag }
      return
    }
    guard let section = section(node, "affinity", .affinity) else { return }
    if let flag = flag("enabled", in: section) { configuration.affinity.enabled = flag }
    if let t = duration("ttl", in: section) { configuration.affinity.ttl = t }
    if let n = whole("entries", in: section) { configuration.affinity.entries = n }
  }

  mutating func readLog(_ node: Node) {
    guard let section = section(node, "log", .log) else { return }
    if let word = choice("format", in: section) {
      configuration.log.format = word == "json" ? .json : .logfmt
    }
    switch choice("level", in: section) {
    case "error": configuration.log.level = .error
    case "warning", "warn": configuration.log.level = .warning
    case "info": configuration.log.level = .info
    case "debug": configuration.log.level = .debug
    case "none": configuration.log.level = .silent
    default: break
    }
  }

  mutating func readCORS(_ node: Node) {
    guard let section = section(node, "cors", .cors, synonyms: ["allowedorigins": "origins"])
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
    configuration.hedge = duration("hedge", in: section)
  }

  /// The bare settings of an appsettings.json, which have sections of their own here.
  mutating func readServerSettings(in section: Section) {
    if let t = duration("RequestTimeout", in: section, as: SectionName.timeouts["request"]) {
      configuration.timeouts.request = t
    }
    if let n = whole("MaxConcurrentRequests", in: section, as: SectionName.limits["concurrent_requests"]) {
      configuration.limits.concurrentRequests = n
    }
    if let n = size("MaxRequestBodySize", in: section, as: SectionName.limits["request_body"]) {
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
