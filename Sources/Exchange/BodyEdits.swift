internal import Base
package import Policy
internal import Wire

/// One place of a body that goes out changed: the bytes of `range` are replaced. An insertion has an empty range.
package struct Splice: Equatable, Sendable {
  package var range: Range<Int>
  package var replacement: [UInt8]
  package init(range: Range<Int>, replacement: [UInt8]) {
    self.range = range
    self.replacement = replacement
  }
  var isDeletion: Bool { replacement.isEmpty && !range.isEmpty }
}

/// A provider's request edits with their paths taken apart, once per configuration.
///
/// All edits look at the body as the client sent it, not at each other's results. The rest of the body is not
/// re-written: an edit is a splice of ranges.
package struct BodyEdits: Sendable {
  private struct Step: Equatable, Sendable {
    var name: [UInt8]
    /// Steps into each element of the array behind the name.
    var intoElements: Bool
  }
  private struct Edit: Sendable {
    var steps: [Step]
    var action: RequestEdit.Action
  }
  private let edits: [Edit]

  package var isEmpty: Bool { edits.isEmpty }

  package init(_ list: [RequestEdit]) {
    edits = list.map { edit in
      let steps = edit.path.split(separator: ".").map { part in
        let intoElements = part.utf8.suffix(2).elementsEqual("[]".utf8)
        return Step(name: Array(intoElements ? part.utf8.dropLast(2) : part.utf8), intoElements: intoElements)
      }
      return Edit(steps: steps, action: edit.action)
    }
  }

  /// The splices for one body, ordered and apart from each other, `first` (the model's) among them. The body is
  /// a JSON object that was checked before.
  package func splices(of body: Span<UInt8>, adding first: Splice?) -> [Splice] {
    // The model's splice wins over an edit of the same place, and a deletion over what lies inside it.
    var found = first.map { [$0] } ?? []
    if !edits.isEmpty {
      let root = JSONMember(key: 0..<0, value: Self.withoutWhiteSpace(body), kind: .object)
      for edit in edits where !edit.steps.isEmpty { apply(edit, at: 0, to: root, of: body, &found) }
    }
    return Self.merged(found, in: body)
  }

  private func apply(
    _ edit: Edit, at depth: Int, to object: JSONMember, of body: Span<UInt8>, _ out: inout [Splice]
  ) {
    guard object.kind == .object else { return }
    let step = edit.steps[depth]
    let isLast = depth == edit.steps.count - 1
    var walk = JSONCursor(object)
    var isEmpty = true
    var isFound = false
    var member = walk.next(body)
    while let current = member {
      let next = walk.next(body)
      if Self.isKey(current.key, step.name, in: body) {
        isFound = true
        if !isLast || step.intoElements {
          descend(edit, at: depth, into: current, of: body, &out)
        } else if let splice = Self.change(
          current, by: edit.action, in: object, before: next, of: body)
        {
          out.append(splice)
        }
      }
      isEmpty = false
      member = next
    }
    if isLast, !isFound, case .fallback(let value) = edit.action,
      !isRenamed(into: step.name, beside: edit, in: object, of: body)
    {
      out.append(Self.insertion(of: step.name, value, into: object, isEmpty: isEmpty, of: body))
    }
  }

  /// Another edit gives a member of that object the name.
  private func isRenamed(
    into name: [UInt8], beside edit: Edit, in object: JSONMember, of body: Span<UInt8>
  ) -> Bool {
    for other in edits where other.steps.count == edit.steps.count {
      guard case .rename(let new) = other.action, Array(new.utf8) == name, let last = other.steps.last,
        zip(other.steps, edit.steps).dropLast().allSatisfy({ $0 == $1 })
      else { continue }
      if Self.hasMember(last.name, in: object, of: body) { return true }
    }
    return false
  }

  private func descend(
    _ edit: Edit, at depth: Int, into member: JSONMember, of body: Span<UInt8>, _ out: inout [Splice]
  ) {
    guard edit.steps[depth].intoElements else {
      apply(edit, at: depth + 1, to: member, of: body, &out)
      return
    }
    guard member.kind == .array, depth + 1 < edit.steps.count else { return }
    var elements = JSONCursor(member)
    while let element = elements.next(body) { apply(edit, at: depth + 1, to: element, of: body, &out) }
  }

  /// 1. A whole member goes with the comma that divides it from its neighbour. 2. A new name replaces the old
  /// one, or the member goes where the new name is there already. 3. A number is lowered. 4. A value changes.
  private static func change(
    _ member: JSONMember, by action: RequestEdit.Action, in object: JSONMember, before next: JSONMember?,
    of body: Span<UInt8>
  ) -> Splice? {
    let value = body.extracting(member.value)
    let deletion = Splice(range: deletionRange(member, before: next), replacement: [])
    switch action {
    case .drop: return deletion  // 1
    case .dropUnless(let text): return value.equals(text) ? nil : deletion
    case .dropWhere(let text): return value.equals(text) ? deletion : nil
    case .rename(let name):  // 2
      if hasMember(Array(name.utf8), in: object, of: body) { return deletion }
      return Splice(range: member.key, replacement: Array(name.utf8))
    case .clamp(let bound):  // 3
      guard let number = body.jsonDouble(member), number > Double(bound) else { return nil }
      return Splice(range: member.value, replacement: Array(String(bound).utf8))
    case .fallback: return nil
    case .replace(let text, let other):  // 4
      return value.equals(text) ? Splice(range: member.value, replacement: Array(other.utf8)) : nil
    }
  }

  /// With the comma behind it; the last member's range ends with its value, and `withComma` finishes it.
  private static func deletionRange(_ member: JSONMember, before next: JSONMember?) -> Range<Int> {
    let start = member.key.lowerBound - 1
    return start..<(next.map { $0.key.lowerBound - 1 } ?? member.value.upperBound)
  }

  private static func insertion(
    of name: [UInt8], _ value: String, into object: JSONMember, isEmpty: Bool, of body: Span<UInt8>
  ) -> Splice {
    let start = object.value.lowerBound + 1
    let text = Array("\"".utf8) + name + Array("\":".utf8) + Array(value.utf8)
    return Splice(range: start..<start, replacement: text + (isEmpty ? [] : [UInt8(ascii: ",")]))
  }

  private static func hasMember(_ name: [UInt8], in object: JSONMember, of body: Span<UInt8>) -> Bool {
    var walk = JSONCursor(object)
    while let member = walk.next(body) {
      if isKey(member.key, name, in: body) { return true }
    }
    return false
  }

  private static func isKey(_ key: Range<Int>, _ name: [UInt8], in body: Span<UInt8>) -> Bool {
    let raw = body.extracting(key)
    if raw.firstIndex(of: UInt8(ascii: "\\")) == nil { return raw.equals(name.span) }
    var decoded = ByteBuffer()
    let quoted = key.lowerBound - 1..<key.upperBound + 1
    guard body.jsonString(JSONMember(key: 0..<0, value: quoted, kind: .string), into: &decoded) else {
      return false
    }
    return decoded.withBytes { $0.equals(name.span) }
  }

  /// Orders splices and makes one of those that overlap, and of deletions that touch. Of two at one place the
  /// earlier one stays, and an insertion goes in front: what is deleted behind it does not take it along.
  private static func merged(_ list: [Splice], in body: Span<UInt8>) -> [Splice] {
    var out: [Splice] = []
    let ordered = list.enumerated().sorted {
      ($0.element.range.lowerBound, $0.element.range.isEmpty ? 0 : 1, $0.offset)
        < ($1.element.range.lowerBound, $1.element.range.isEmpty ? 0 : 1, $1.offset)
    }
    for (_, splice) in ordered {
      guard let last = out.last else {
        out.append(splice)
        continue
      }
      let bothDelete = last.isDeletion && splice.isDeletion
      let overlaps = splice.range.lowerBound < last.range.upperBound
      guard overlaps || (bothDelete && splice.range.lowerBound == last.range.upperBound) else {
        out.append(splice)
        continue
      }
      let end = max(last.range.upperBound, splice.range.upperBound)
      out[out.count - 1].range = last.range.lowerBound..<end
    }
    for index in out.indices where out[index].isDeletion {
      out[index].range = withComma(out[index].range, body)
    }
    return out
  }

  /// A deletion up to the end of its object takes the comma in front of it along.
  private static func withComma(_ range: Range<Int>, _ body: Span<UInt8>) -> Range<Int> {
    var behind = range.upperBound
    while behind < body.count, isWhiteSpace(body[behind]) { behind += 1 }
    guard behind < body.count, body[behind] == UInt8(ascii: "}") else { return range }
    var before = range.lowerBound - 1
    while before >= 0, isWhiteSpace(body[before]) { before -= 1 }
    guard before >= 0, body[before] == UInt8(ascii: ",") else { return range }
    return before..<range.upperBound
  }

  private static func withoutWhiteSpace(_ body: Span<UInt8>) -> Range<Int> {
    var start = 0
    var end = body.count
    while start < end, isWhiteSpace(body[start]) { start += 1 }
    while end > start, isWhiteSpace(body[end - 1]) { end -= 1 }
    return start..<end
  }

  private static func isWhiteSpace(_ byte: UInt8) -> Bool {
    byte == 32 || byte == 10 || byte == 13 || byte == 9
  }
}
