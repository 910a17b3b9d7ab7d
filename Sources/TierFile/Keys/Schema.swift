internal import Base

/// The tier file's JSON Schema (draft 7, which editors know best), for completion and checks while one writes.
///
/// It knows the keys as the documents spell them; the reader takes other spellings too. A text with a variable in it
/// may stand anywhere.
package enum Schema {
  package static var text: String {
    var definitions = SectionName.own.filter { $0 != .root }.map { "\(quoted($0.name)): \(map(of: $0))" }
    definitions += plain.map { "\(quoted($0.name)): \($0.schema)" }
    return """
      {
      "$schema": "http://json-schema.org/draft-07/schema#",
      "title": "The tier file of synaxis",
      "definitions": {
      \(definitions.joined(separator: ",\n"))
      },
      \(members(of: .root)),
      "patternProperties": {"^(x-|\\\\$)": {}},
      "required": ["providers"]
      }

      """
  }

  /// What single values look like.
  private static let plain: [(name: String, schema: String)] = [
    ("variable", ##"{"type": "string", "pattern": "\\$\\{"}"##),
    ("text", #"{"type": ["string", "number", "boolean", "null"]}"#),
    (
      "texts",
      ##"{"anyOf": [{"$ref": "#/definitions/text"}, {"type": "array", "items": {"$ref": "#/definitions/text"}}]}"##
    ),
    (
      "flag",
      ##"{"anyOf": [{"type": ["boolean", "null"]}, {"enum": ["on", "off", "yes", "no"]}, {"$ref": "#/definitions/variable"}]}"##
    ),
    (
      "duration",
      ##"{"anyOf": [{"type": ["number", "null"]}, {"type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(us|µs|ms|s|m|min|h|d))+$"}, {"$ref": "#/definitions/variable"}]}"##
    ),
    (
      "size",
      ##"{"anyOf": [{"type": ["number", "null"]}, {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? ?([kKmMgG]([iI]?[bB])?|[bB])?$"}, {"$ref": "#/definitions/variable"}]}"##
    ),
  ]

  private static func map(of section: SectionName) -> String { "{\n\(members(of: section))\n}" }

  private static func members(of section: SectionName) -> String {
    let properties = section.keys.map { "\(quoted($0.name)): \(property($0))" }
    return """
      "type": ["object", "null"],
      "additionalProperties": false,
      "properties": {
      \(properties.joined(separator: ",\n"))
      }
      """
  }

  private static func property(_ key: Key) -> String {
    var parts = ["\"description\": \(quoted(key.about + bounds(key)))"]
    if let standard = key.standard { parts.append("\"default\": \(quoted(standard))") }
    let schemas = key.kinds.map { schema($0) }
    // In draft 7 nothing counts that stands beside a $ref; with allOf a mistake inside is told in its own place.
    if schemas.count > 1 {
      parts.append("\"anyOf\": [\(schemas.map { "{\($0)}" }.joined(separator: ", "))]")
    } else {
      parts.append(schemas[0].hasPrefix("\"$ref") ? "\"allOf\": [{\(schemas[0])}]" : schemas[0])
    }
    return "{\(parts.joined(separator: ", "))}"
  }

  /// The bounds in words, where they say something.
  private static func bounds(_ key: Key) -> String {
    for kind in key.kinds {
      switch kind {
      case .whole(let range):
        return range.upperBound < 1_000_000 ? " From \(range.lowerBound) to \(range.upperBound)." : ""
      case .size(let least, let power): return " From \(Units.bounds(least: least, power: power))."
      case .duration(let range):
        return " From \(Units.text(range.lowerBound)) to \(Units.text(range.upperBound))."
      case .number(let range):
        return range.upperBound < 1000
          ? " From \(number(range.lowerBound)) to \(number(range.upperBound))." : ""
      case .quantity, .flag, .choice, .word, .text, .texts, .map, .list, .names, .anything: continue
      }
    }
    return ""
  }

  private static func schema(_ kind: Key.Kind) -> String {
    switch kind {
    case .flag: reference("flag")
    case .whole(let range):
      "\"anyOf\": [{\"type\": \"integer\", \"minimum\": \(range.lowerBound), \"maximum\": \(range.upperBound)}, {\(reference("variable"))}, {\"type\": \"null\"}]"
    case .quantity:
      "\"anyOf\": [{\"type\": \"integer\", \"minimum\": 1, \"maximum\": \(Limits.quantity)}, {\(reference("variable"))}, {\"type\": \"null\"}]"
    case .number(let range):
      "\"anyOf\": [{\"type\": \"number\", \"minimum\": \(number(range.lowerBound)), \"maximum\": \(number(range.upperBound))}, {\(reference("variable"))}, {\"type\": \"null\"}]"
    case .size: reference("size")
    case .duration: reference("duration")
    case .choice(let words):
      // YAML 1.1 reads off as false, and 1.1 is a number.
      "\"anyOf\": [{\"enum\": [\((words.map { quoted($0) } + words.compactMap { plainly($0) }).joined(separator: ", "))]}, {\(reference("variable"))}, {\"type\": \"null\"}]"
    case .word(let words):
      "\"anyOf\": [{\"enum\": [\(words.map { quoted($0) }.joined(separator: ", "))]}, {\(reference("text"))}]"
    case .text: reference("text")
    case .texts: reference("texts")
    case .map(let section): reference(section.name)
    case .list(let section, let plain): "\"type\": \"array\", \"items\": \(either(section, plain))"
    case .names(let section, let plain):
      "\"type\": [\"object\", \"null\"], \"additionalProperties\": \(either(section, plain))"
    case .anything: "\"$comment\": \"any value\""
    }
  }

  private static func either(_ section: SectionName?, _ plain: Key.Plain) -> String {
    var schemas = section.map { ["{\(reference($0.name))}"] } ?? []
    switch plain {
    case .nothing: break
    case .text: schemas.append("{\(reference("text"))}")
    case .texts: schemas.append("{\(reference("texts"))}")
    }
    return schemas.count == 1 ? schemas[0] : "{\"anyOf\": [\(schemas.joined(separator: ", "))]}"
  }

  /// How YAML may read a word that is no word there.
  private static func plainly(_ word: String) -> String? {
    word == "off" ? "false" : Units.decimal(Array(word.utf8)[...]) == nil ? nil : word
  }

  private static func number(_ value: Double) -> String {
    value == value.rounded() ? "\(Int(value))" : "\(value)"
  }

  private static func reference(_ name: String) -> String { "\"$ref\": \"#/definitions/\(name)\"" }

  private static func quoted(_ text: String) -> String { Reader.jsonString(text) }
}
