import Base
import Foundation
import Policy
import Testing
import TierFile

/// That the table of keys says what the reader does.
@Suite struct KeyTests {
  /// A file in which one key of a section has this value. What goes together with it is given room.
  private static func file(_ section: SectionName, _ key: String, _ value: String) -> String {
    let provider = "p: { type: openai, endpoint: \"http://127.0.0.1:1/v1\", models: [m]"
    let providers = "providers: { \(provider) } }\n"
    switch section {
    case .root: return key == "providers" ? "providers: \(value)\n" : "\(key): \(value)\n\(providers)"
    case .limits:
      let room = key == "memory" ? "request_body: 1024, " : "memory: \(1 << 30), "
      return "limits: { \(room)\(key): \(value) }\n\(providers)"
    case .timeouts:
      let room = key == "failover" ? "connect: 1d, " : "failover: 1ms, "
      return "timeouts: { \(room)\(key): \(value) }\n\(providers)"
    case .listener:
      let address = key == "address" ? "" : "address: 127.0.0.1:0, "
      return "listen: [{ \(address)\(key): \(value) }]\n\(providers)"
    case .listenerTLS:
      let certificate = key == "cert" ? "" : "cert: nowhere.pem, "
      return "listen: [{ address: 127.0.0.1:0, tls: { \(certificate)\(key): \(value) } }]\n\(providers)"
    case .admin, .cache, .affinity, .log, .cors: return "\(section.name): { \(key): \(value) }\n\(providers)"
    case .client:
      let rest = ["name": "c", "key": "k"].filter { $0.key != key && !key.hasPrefix("\($0.key)_") }
      let given = rest.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" } + ["\(key): \(value)"]
      return "clients: [{ \(given.joined(separator: ", ")) }]\n\(providers)"
    case .provider:
      let parts = ["type: openai", "endpoint: \"http://127.0.0.1:1/v1\"", "models: [m]"].filter {
        !$0.hasPrefix("\(key):")
      }
      return "providers: { p: { \((parts + ["\(key): \(value)"]).joined(separator: ", ")) } }\n"
    case .tls:
      return
        "providers: { p: { type: openai, endpoint: \"https://127.0.0.1:1/v1\", models: [m], tls: { \(key): \(value) } } }\n"
    case .cost: return "providers: { \(provider), cost: { \(key): \(value) } } }\n"
    case .batch: return "providers: { \(provider), batch: { \(key): \(value) } } }\n"
    case .spend: return "providers: { \(provider), cost: { input: 1 }, spend: { \(key): \(value) } } }\n"
    case .model:
      let model = key == "name" ? "[{ name: \(value) }]" : "{ n: { \(key): \(value) } }"
      return "providers: { p: { type: openai, endpoint: \"http://127.0.0.1:1/v1\", models: \(model) } }\n"
    case .edit:
      let verb = ["to": "clamp: a, ", "unless": "drop: a, ", "where": "drop: a, "][key] ?? ""
      let other = ["value": "replace: a, with: 1, ", "with": "replace: a, value: 1, "][key] ?? verb
      return "providers: { \(provider), edits: [{ \(other)\(key): \(value) }] } }\n"
    case .alias:
      let rest = key == "candidates" ? "" : "candidates: [p/m], "
      return "aliases: { a: { \(rest)\(key): \(value) } }\n\(providers)"
    case .canonicalModel: return ""
    }
  }

  private static func read(_ text: String) -> Reading {
    TierFile.read(Array(text.utf8).span, named: "t", environment: Environment(entries: []))
  }

  private static func text(_ interval: Interval) -> String { "\(interval.milliseconds)ms" }

  private static func edges(_ range: ClosedRange<Int>) -> ([String], [String]) {
    (
      ["\(range.lowerBound)", "\(range.upperBound)"],
      ["\(range.upperBound)0"] + (range.lowerBound > 0 ? ["\(range.lowerBound - 1)"] : [])
    )
  }

  /// The bounds of the table are the reader's: they are accepted, and what lies beyond is not.
  @Test(arguments: SectionName.own)
  func bounds(_ section: SectionName) {
    for key in section.keys {
      for kind in key.kinds {
        var inside: [String] = []
        var beyond: [String] = []
        switch kind {
        case .whole(let range): (inside, beyond) = Self.edges(range)
        case .size(let least, let power):
          (inside, beyond) = Self.edges(Key.sizes(least: least, power: power))
        case .duration(let range):
          inside = [Self.text(range.lowerBound), Self.text(range.upperBound)]
          beyond = ["\(range.upperBound.milliseconds + 1)ms"]
          if range.lowerBound > .zero { beyond.append("\(range.lowerBound.nanoseconds / 1000 - 1)us") }
        case .number(let range):
          inside = ["\(range.lowerBound)", "\(Int(range.upperBound))"]
          beyond = ["\(Int(range.upperBound)).1"]
        case .choice(let words):
          inside = words
          beyond = ["neither"]
        case .quantity:
          inside = ["1", "\(Limits.quantity)"]
          beyond = ["0", "\(Limits.quantity + 1)"]
        case .flag, .word, .text, .texts, .map, .list, .names, .anything: continue
        }
        for value in inside {
          let report = Self.read(Self.file(section, key.name, value)).report
          #expect(!report.contains("must be"), "\(section.name).\(key.name): \(value): \(report)")
        }
        for value in beyond {
          let report = Self.read(Self.file(section, key.name, value)).report
          #expect(report.contains("must be"), "\(section.name).\(key.name): \(value): \(report)")
        }
      }
    }
  }

  /// What the table says of a missing key is what the reader does without it.
  @Test(arguments: SectionName.own)
  func defaults(_ section: SectionName) throws {
    for key in section.keys {
      guard let standard = key.standard else { continue }
      let said = try #require(
        Self.read(Self.file(section, key.name, standard)).configuration, "\(section.name).\(key.name)")
      let other = try #require(Self.read(Self.file(section, key.name, "")).configuration)
      #expect(said == other, "\(section.name).\(key.name): \(standard)")
    }
  }

  /// The reader asks for every key of the table: what cannot stand there is a problem.
  @Test(arguments: SectionName.own)
  func everyKeyIsRead(_ section: SectionName) {
    for key in section.keys {
      let nonsense: String
      switch key.kinds[0] {
      case .flag, .whole, .quantity, .size, .number, .duration, .choice, .word, .text: nonsense = "[{ x: 1 }]"
      case .texts: nonsense = "[[a]]"
      case .map, .list, .names: nonsense = "3"
      case .anything: nonsense = "\"${\""
      }
      let reading = Self.read(Self.file(section, key.name, nonsense))
      #expect(reading.configuration == nil, "\(section.name).\(key.name): \(nonsense)")
      #expect(!reading.report.contains("unknown key"))
    }
  }

  /// The documented example shows every key.
  @Test func theExampleShowsEveryKey() throws {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let path = "/\(root)/etc/synaxis.yaml"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    for section in SectionName.own {
      for key in section.keys {
        #expect(
          text.contains("\(key.name):") || text.contains("\(key.name) ") || text.contains(", \(key.name)"),
          "\(section.name).\(key.name)")
      }
    }
  }
}
