import Base
import Exchange
import Policy
import TestSupport
import Wire

/// A JSON value for the test of edits: what edits should do, said again without any byte ranges.
indirect enum Value: Equatable {
  case object([Member])
  case array([Value])
  /// Anything else, as it is written.
  case scalar(String)

  struct Member: Equatable {
    var key: String
    var value: Value
  }

  /// Reads a text that is known to be JSON.
  init(_ text: [UInt8]) {
    var start = 0
    while [32, 9, 10, 13].contains(text[start]) { start += 1 }
    var end = text.count
    while [32, 9, 10, 13].contains(text[end - 1]) { end -= 1 }
    let kind: JSONKind = text[start] == UInt8(ascii: "{") ? .object : .array
    self.init(JSONMember(key: 0..<0, value: start..<end, kind: kind), text)
  }

  private init(_ member: JSONMember, _ text: [UInt8]) {
    switch member.kind {
    case .object:
      var members: [Member] = []
      var cursor = JSONCursor(member)
      while let next = cursor.next(text.span) {
        let quoted = next.key.lowerBound - 1..<next.key.upperBound + 1
        var key = ByteBuffer()
        text.span.jsonString(JSONMember(key: 0..<0, value: quoted, kind: .string), into: &key)
        members.append(Member(key: key.withBytes { $0.text }, value: Value(next, text)))
      }
      self = .object(members)
    case .array:
      var values: [Value] = []
      var cursor = JSONCursor(member)
      while let next = cursor.next(text.span) { values.append(Value(next, text)) }
      self = .array(values)
    case .string, .number, .bool, .null:
      self = .scalar(String(decoding: text[member.value], as: UTF8.self))
    }
  }

  /// The value with all edits applied at once. `model`: what the top-level model's value becomes.
  func applying(_ edits: [RequestEdit], model: String?) -> Value {
    rebuilt(edits.map { ($0.path.split(separator: ".").map(String.init), $0.action) }, model: model)
  }

  private typealias Pending = (path: [String], action: RequestEdit.Action)

  private func rebuilt(_ edits: [Pending], model: String?) -> Value {
    guard case .object(let members) = self else { return self }
    var out: [Member] = []
    let here = edits.filter { $0.path.count == 1 }
    for member in members {
      var changed = member
      var isDropped = false
      var isRenamed = false
      var isChanged = false
      if member.key == "model", let model {
        changed.value = .scalar(model)
        isChanged = true
      }
      for edit in here where edit.path[0] == member.key {
        switch edit.action {
        case .drop: isDropped = true
        case .dropUnless(let text): if member.value.written != text { isDropped = true }
        case .dropWhere(let text): if member.value.written == text { isDropped = true }
        case .rename(let name):
          if members.contains(where: { $0.key == name }) {
            isDropped = true
          } else if !isRenamed {
            changed.key = name
            isRenamed = true
          }
        case .clamp(let bound):
          guard !isChanged, let text = member.value.written, let number = Double(text), number > Double(bound)
          else { continue }
          changed.value = .scalar("\(bound)")
          isChanged = true
        case .replace(let text, let other):
          guard !isChanged, member.value.written == text else { continue }
          changed.value = .scalar(other)
          isChanged = true
        case .fallback: continue
        }
      }
      if isDropped { continue }
      if !isChanged { changed.value = member.value.inside(of: member.key, edits) }
      out.append(changed)
    }
    var added: [Member] = []
    for edit in here {
      guard case .fallback(let text) = edit.action else { continue }
      let isThere = members.contains { $0.key == edit.path[0] }
      let isRenamed = here.contains { other in
        guard case .rename(edit.path[0]) = other.action else { return false }
        return members.contains { $0.key == other.path[0] }
      }
      if !isThere, !isRenamed { added.append(Member(key: edit.path[0], value: .scalar(text))) }
    }
    return .object(added + out)
  }

  /// The edits that go on inside the member of that name.
  private func inside(of key: String, _ edits: [Pending]) -> Value {
    switch self {
    case .scalar: return self
    case .object:
      return rebuilt(
        edits.filter { $0.path.count > 1 && $0.path[0] == key }.map {
          (Array($0.path.dropFirst()), $0.action)
        },
        model: nil)
    case .array(let values):
      let rest = edits.filter { $0.path.count > 1 && $0.path[0] == key + "[]" }
        .map { (Array($0.path.dropFirst()), $0.action) }
      return .array(values.map { $0.rebuilt(rest, model: nil) })
    }
  }

  private var written: String? {
    if case .scalar(let text) = self { return text }
    return nil
  }
}

/// Random bodies and edits over few names, so that they meet often.
struct EditsMaker {
  var random: RandomSource
  init(seed: UInt64) { random = RandomSource(seed: seed) }

  private mutating func pick<T>(_ list: [T]) -> T { list[random.below(list.count)] }

  private mutating func space() -> String { pick(["", "", "", " ", "\n", "\t ", "\r\n  "]) }

  private mutating func key(_ name: String) -> String {
    name == "a" && random.below(4) == 0 ? #""\u0061""# : "\"\(name)\""
  }

  private mutating func scalar() -> String {
    pick(["null", "1", "2", "-3.5", "1e9", "true", #""x""#, #""},{\"a\":1""#, #""é\\""#, #""""#])
  }

  private mutating func value(_ depth: Int) -> String {
    switch depth == 0 ? 0 : random.below(4) {
    case 1: return object(depth - 1, required: nil)
    case 2:
      var parts: [String] = []
      for _ in 0..<random.below(4) { parts.append(space() + value(depth - 1) + space()) }
      return "[" + (parts.isEmpty ? space() : parts.joined(separator: ",")) + "]"
    default: return scalar()
    }
  }

  mutating func object(_ depth: Int, required: String?) -> String {
    var names = ["a", "b", "c", "d"].filter { _ in random.below(2) == 0 }
    if let required { names.insert(required, at: random.below(names.count + 1)) }
    var parts: [String] = []
    for name in names {
      let text = name == "model" ? #""m""# : value(depth)
      parts.append(space() + key(name) + space() + ":" + space() + text + space())
    }
    return "{" + (parts.isEmpty ? space() : parts.joined(separator: ",")) + "}"
  }

  mutating func body() -> [UInt8] { (space() + object(3, required: "model") + space()).bytes }

  mutating func edits() -> [RequestEdit] {
    var list: [RequestEdit] = []
    var isRenaming = false
    for n in 0..<random.below(6) {
      var steps: [String] = []
      for _ in 0..<pick([0, 0, 0, 1, 1, 2]) { steps.append(pick(["a", "b", "c", "d"]) + pick(["", "[]"])) }
      let isTop = steps.isEmpty
      steps.append(pick(["a", "b", "c", "d"]))
      let action: RequestEdit.Action
      switch random.below(7) {
      case 0: action = .dropUnless("1")
      case 1: action = .dropWhere("null")
      case 2 where !isRenaming:
        isRenaming = true
        action = .rename(pick(["a", "b", "z"]))
      case 3: action = .clamp(1)
      case 4 where isTop:
        // Each default once: two of one name are a mistake of the file.
        steps = [pick(["y\(n)", "z", "d"])]
        if list.contains(where: { $0.path == steps[0] }) { steps = ["y\(n)"] }
        action = .fallback("7")
      case 5: action = .replace("null", with: #""""#)
      default: action = .drop
      }
      list.append(RequestEdit(path: steps.joined(separator: "."), action: action))
    }
    return list
  }
}
