package import Base
internal import Policy
internal import Wire

/// Walks once through a body and finds what a provider's edits change in it, from the front.
///
/// It can pause anywhere: a body may be megabytes of tiny elements. Its own memory is that of what it found; where
/// that is more places than are worth a piece each, it writes the new body instead (`takeBody`).
package struct EditWalk: ~Copyable {
  /// An object that is edited, or an array whose objects are.
  private struct Level {
    /// What is to be done in it, or in its elements.
    let object: Int
    let container: JSONMember
    var cursor: JSONCursor
    /// The object's names are looked at before anything in it is changed.
    var isLooking: Bool
    var isThere: [Bool] = []
    var isEmpty = true
    /// The member that was read last: it is edited when it is known what follows it.
    var held: JSONMember?

    init(_ container: JSONMember, _ object: Int, isLooking: Bool = false) {
      self.container = container
      self.object = object
      self.isLooking = isLooking
      cursor = JSONCursor(container)
    }
  }

  private let edits: BodyEdits
  private var levels: [Level] = []
  /// The model's splice, until its place is reached.
  private var first: Splice?
  private var sink: SpliceSink

  /// - Parameters:
  ///   - object: the body's, which was checked before; as `BodyEdits.object(of:)` says.
  ///   - first: wins over an edit of the same place.
  ///   - mostPlaces: with more changed places than this the body is written anew.
  package init(_ edits: BodyEdits, of object: Range<Int>, adding first: Splice?, mostPlaces: Int) {
    self.edits = edits
    self.first = first
    sink = SpliceSink(mostPlaces: mostPlaces)
    enter(JSONMember(key: 0..<0, value: object, kind: .object), 0)
  }

  /// Goes on through the body, by about `budget` bytes. True: to its end.
  package mutating func goOn(_ body: Span<UInt8>, budget: Int) -> Bool {
    var left = budget
    while !levels.isEmpty {
      if left <= 0 { return false }
      let top = levels.count - 1
      let before = levels[top].cursor.place
      let step = levels[top].cursor.step(
        body, upTo: before.addingReportingOverflow(left).overflow ? .max : before + left)
      // A step costs something even where it reads little.
      left -= levels[top].cursor.place - before + 8
      switch step {
      case .member(let member): take(member, at: top, body)
      case .end: leave(body)
      case .paused: return false
      }
    }
    if let first { sink.add(first, body) }
    first = nil
    sink.finish(body)
    return true
  }

  /// What was found, unless the body was written anew.
  package var splices: [Splice] { sink.splices }

  /// The new body, where there is one. At the end only.
  package mutating func takeBody() -> ByteBuffer? { sink.takeBody() }

  /// Bytes that what was found takes.
  package var bytesHeld: Int { sink.bytesHeld }

  // MARK: - Walking

  private mutating func enter(_ container: JSONMember, _ object: Int) {
    let isLooking = container.kind == .object && !edits.objects[object].lookedFor.isEmpty
    levels.append(Level(container, object, isLooking: isLooking))
    if isLooking {
      levels[levels.count - 1].isThere = Array(repeating: false, count: edits.objects[object].lookedFor.count)
    }
  }

  private mutating func take(_ member: JSONMember, at top: Int, _ body: Span<UInt8>) {
    if levels[top].container.kind == .array {
      if member.kind == .object { enter(member, levels[top].object) }
      return
    }
    levels[top].isEmpty = false
    if levels[top].isLooking {
      let lookedFor = edits.objects[levels[top].object].lookedFor
      for place in lookedFor.indices where !levels[top].isThere[place] {
        if body.isKey(member.key, lookedFor[place]) { levels[top].isThere[place] = true }
      }
      return
    }
    let before = levels[top].held
    levels[top].held = member
    if let before { edit(before, in: levels[top], next: member, body) }
  }

  /// A container has been walked through.
  private mutating func leave(_ body: Span<UInt8>) {
    let top = levels.count - 1
    if levels[top].isLooking {
      insertFallbacks(into: levels[top], body)
      levels[top].isLooking = false
      levels[top].cursor = JSONCursor(levels[top].container)
      return
    }
    let level = levels.removeLast()
    if let last = level.held { edit(last, in: level, next: nil, body) }
  }

  private mutating func insertFallbacks(into level: Level, _ body: Span<UInt8>) {
    let missing = edits.objects[level.object].fallbacks.filter { fallback in
      !fallback.unless.contains { level.isThere[$0] }
    }
    let start = level.container.value.lowerBound + 1
    for (index, fallback) in missing.enumerated() {
      let isLast = level.isEmpty && index == missing.count - 1
      found(
        Splice(range: start..<start, replacement: fallback.text + (isLast ? [] : [UInt8(ascii: ",")])), body)
    }
  }

  /// Does to a member what is to be done, from its front, and goes into it. `next` is the one behind it.
  private mutating func edit(_ member: JSONMember, in level: Level, next: JSONMember?, _ body: Span<UInt8>) {
    let object = edits.objects[level.object]
    guard let place = object.members.firstIndex(where: { body.isKey(member.key, $0.name) }) else { return }
    var changes: [Splice] = []
    for action in object.members[place].actions {
      guard let change = Self.change(member, by: action, next: next, level.isThere, body) else { continue }
      let at = changes.firstIndex { change.stands(before: $0) } ?? changes.count
      changes.insert(change, at: at)
    }
    for change in changes { found(change, body) }
    if member.kind == .object, let inner = object.members[place].object { enter(member, inner) }
    if member.kind == .array, let inner = object.members[place].elements { enter(member, inner) }
  }

  /// 1. A whole member goes with the comma that divides it from its neighbour. 2. A new name replaces the old
  /// one, or the member goes where the new name is there already. 3. A number is lowered. 4. A value changes.
  private static func change(
    _ member: JSONMember, by action: BodyEdits.Action, next: JSONMember?, _ isThere: [Bool],
    _ body: Span<UInt8>
  ) -> Splice? {
    let value = body.extracting(member.value)
    let start = member.key.lowerBound - 1
    // The last member's range ends with its value, and `SpliceSink` finishes it.
    let whole = start..<(next.map { $0.key.lowerBound - 1 } ?? member.value.upperBound)
    let deletion = Splice(range: whole, replacement: [])
    switch action {
    case .drop: return deletion  // 1
    case .dropUnless(let text): return value.equals(text.span) ? nil : deletion
    case .dropWhere(let text): return value.equals(text.span) ? deletion : nil
    case .rename(let name, let other):  // 2
      return isThere[other] ? deletion : Splice(range: member.key, replacement: name)
    case .clamp(let bound, let text):  // 3
      guard let number = body.jsonDouble(member), number > Double(bound) else { return nil }
      return Splice(range: member.value, replacement: text)
    case .replace(let text, let other):  // 4
      return value.equals(text.span) ? Splice(range: member.value, replacement: other) : nil
    }
  }

  private mutating func found(_ splice: Splice, _ body: Span<UInt8>) {
    if let model = first, !splice.stands(before: model) {
      first = nil
      sink.add(model, body)
    }
    sink.add(splice, body)
  }
}

/// Takes splices in their order, makes one of those that overlap and of deletions that touch, and keeps them or
/// writes the new body.
struct SpliceSink: ~Copyable {
  private let mostPlaces: Int
  private(set) var splices: [Splice] = []
  /// What came last may still grow.
  private var last: Splice?
  /// Where the last one that is done stands, if it is an insertion.
  private var insertedAt: Int?
  /// The new body so far, and how far the old one is in it.
  private var rewritten = ByteBuffer()
  private var copied: Int?

  init(mostPlaces: Int) { self.mostPlaces = mostPlaces }

  var bytesHeld: Int { rewritten.capacity + splices.count * (MemoryLayout<Splice>.stride + 32) }

  /// Of two at one place the earlier one stays.
  mutating func add(_ splice: Splice, _ body: Span<UInt8>) {
    guard let before = last else {
      last = splice
      return
    }
    let overlaps = splice.range.lowerBound < before.range.upperBound
    let touches = before.isDeletion && splice.isDeletion && splice.range.lowerBound == before.range.upperBound
    if overlaps || touches {
      let end = max(before.range.upperBound, splice.range.upperBound)
      last?.range = before.range.lowerBound..<end
    } else {
      settle(before, body)
      last = splice
    }
  }

  mutating func finish(_ body: Span<UInt8>) {
    if let last { settle(last, body) }
    last = nil
    if let copied { rewritten.append(body.extracting(copied..<body.count)) }
  }

  mutating func takeBody() -> ByteBuffer? { copied == nil ? nil : rewritten.take() }

  private mutating func settle(_ splice: Splice, _ body: Span<UInt8>) {
    var done = splice
    if splice.isDeletion { done.range = withComma(splice.range, body) }
    insertedAt = done.isInsertion ? done.range.lowerBound : nil
    if let start = copied {
      write(done, from: start, body)
      return
    }
    splices.append(done)
    guard splices.count > mostPlaces else { return }
    var start = 0
    for splice in splices {
      write(splice, from: start, body)
      start = splice.range.upperBound
    }
    splices = []
  }

  private mutating func write(_ splice: Splice, from start: Int, _ body: Span<UInt8>) {
    rewritten.append(body.extracting(start..<splice.range.lowerBound))
    rewritten.append(splice.replacement.span)
    copied = splice.range.upperBound
  }

  /// A deletion up to the end of its object takes the comma in front of it along: the object's own, or that of what
  /// was put in front of it.
  private mutating func withComma(_ range: Range<Int>, _ body: Span<UInt8>) -> Range<Int> {
    var behind = range.upperBound
    while behind < body.count, body[behind].isJSONWhiteSpace { behind += 1 }
    guard behind < body.count, body[behind] == UInt8(ascii: "}") else { return range }
    var before = range.lowerBound - 1
    while before >= 0, body[before].isJSONWhiteSpace { before -= 1 }
    guard before >= 0 else { return range }
    if body[before] == UInt8(ascii: ",") { return before..<range.upperBound }
    if insertedAt == before + 1 { dropInsertedComma() }
    return range
  }

  private mutating func dropInsertedComma() {
    if copied != nil {
      rewritten.truncate(to: rewritten.count - 1)
    } else {
      splices[splices.count - 1].replacement.removeLast()
    }
  }
}

extension UInt8 {
  var isJSONWhiteSpace: Bool { self == 32 || self == 10 || self == 13 || self == 9 }
}

extension Span<UInt8> {
  /// Whether the key between the quotes at `key` is that name, once its escapes are decoded.
  fileprivate func isKey(_ key: Range<Int>, _ name: [UInt8]) -> Bool {
    let raw = extracting(key)
    if raw.count <= name.count { return raw.equals(name.span) }
    // An escape is longer than what it stands for, six times at most.
    guard raw.count <= 6 * name.count, raw.firstIndex(of: UInt8(ascii: "\\")) != nil else { return false }
    var decoded = ByteBuffer()
    let quoted = key.lowerBound - 1..<key.upperBound + 1
    guard jsonString(JSONMember(key: 0..<0, value: quoted, kind: .string), into: &decoded) else {
      return false
    }
    return decoded.withBytes { $0.equals(name.span) }
  }
}
