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
  var isInsertion: Bool { range.isEmpty }

  /// Of two at one place an insertion goes in front: what is deleted behind it does not take it along.
  func stands(before other: Splice) -> Bool {
    if range.lowerBound != other.range.lowerBound { return range.lowerBound < other.range.lowerBound }
    return isInsertion && !other.isInsertion
  }
}

/// A provider's request edits as a tree of the names that their paths go through, made once per configuration.
///
/// All edits look at the body as the client sent it, not at each other's results. The rest of the body is not
/// re-written: an edit is a splice of ranges. `EditWalk` finds them.
package struct BodyEdits: Sendable {
  /// What is done to one member, with what is put in its place ready.
  enum Action: Sendable {
    case drop
    case dropUnless(value: [UInt8])
    case dropWhere(value: [UInt8])
    /// A member of the new name is at that place in `Object.lookedFor`.
    case rename(to: [UInt8], other: Int)
    case clamp(Int, text: [UInt8])
    case replace([UInt8], with: [UInt8])
  }

  /// A member that is added where it is missing, and none of the others, which are to have its name, is there:
  /// places in `Object.lookedFor`.
  struct Fallback: Sendable {
    var name: [UInt8]
    var text: [UInt8]
    var unless: [Int]
  }

  /// A name within an object, and what is to be done there.
  struct Member: Sendable {
    var name: [UInt8]
    /// In the order of the file.
    var actions: [Action] = []
    /// What is edited in the object behind the name, or in each object of the array.
    var object: Int?
    var elements: Int?
  }

  struct Object: Sendable {
    var members: [Member] = []
    var fallbacks: [Fallback] = []
    /// Names of which it has to be known whether they are there before the object is edited.
    var lookedFor: [[UInt8]] = []

    mutating func place(of name: [UInt8]) -> Int {
      if let place = members.firstIndex(where: { $0.name == name }) { return place }
      members.append(Member(name: name))
      return members.count - 1
    }

    mutating func lookFor(_ name: [UInt8]) -> Int {
      if let place = lookedFor.firstIndex(of: name) { return place }
      lookedFor.append(name)
      return lookedFor.count - 1
    }
  }

  /// The first one is the body itself.
  private(set) var objects = [Object()]

  package var isEmpty: Bool { objects[0].members.isEmpty && objects[0].fallbacks.isEmpty }

  package init(_ list: [RequestEdit]) {
    for edit in list {
      let steps = edit.path.split(separator: ".")
      guard let last = steps.last else { continue }
      var object = 0
      for step in steps.dropLast() { object = self.object(behind: step, in: object) }
      add(edit.action, to: Array(last.utf8), in: object)
    }
    for place in objects.indices { linkRenames(in: place) }
  }

  /// A step of a path: a name, with `[]` behind it for each element of its array.
  private mutating func object(behind step: Substring, in place: Int) -> Int {
    let isArray = step.utf8.suffix(2).elementsEqual("[]".utf8)
    let member = objects[place].place(of: Array(isArray ? step.utf8.dropLast(2) : step.utf8[...]))
    let known =
      isArray ? objects[place].members[member].elements : objects[place].members[member].object
    if let known { return known }
    objects.append(Object())
    let made = objects.count - 1
    if isArray {
      objects[place].members[member].elements = made
    } else {
      objects[place].members[member].object = made
    }
    return made
  }

  private mutating func add(_ action: RequestEdit.Action, to name: [UInt8], in place: Int) {
    let made: Action
    switch action {
    case .drop: made = .drop
    case .dropUnless(let value): made = .dropUnless(value: Array(value.utf8))
    case .dropWhere(let value): made = .dropWhere(value: Array(value.utf8))
    case .rename(let new): made = .rename(to: Array(new.utf8), other: objects[place].lookFor(Array(new.utf8)))
    case .clamp(let bound): made = .clamp(bound, text: Array(String(bound).utf8))
    case .replace(let text, let other): made = .replace(Array(text.utf8), with: Array(other.utf8))
    case .fallback(let value):
      let text = Array("\"".utf8) + name + Array("\":".utf8) + Array(value.utf8)
      let own = objects[place].lookFor(name)
      objects[place].fallbacks.append(Fallback(name: name, text: text, unless: [own]))
      return
    }
    let member = objects[place].place(of: name)
    objects[place].members[member].actions.append(made)
  }

  /// A fallback is not needed where another member is given its name.
  private mutating func linkRenames(in place: Int) {
    for index in objects[place].fallbacks.indices {
      for member in objects[place].members {
        for case .rename(let new, _) in member.actions where new == objects[place].fallbacks[index].name {
          let source = objects[place].lookFor(member.name)
          objects[place].fallbacks[index].unless.append(source)
        }
      }
    }
  }

  /// Where the object is in a body: all but the white space around it.
  package static func object(of body: Span<UInt8>) -> Range<Int> {
    var start = 0
    var end = body.count
    while start < end, body[start].isJSONWhiteSpace { start += 1 }
    while end > start, body[end - 1].isJSONWhiteSpace { end -= 1 }
    return start..<end
  }

  /// The splices for one body, ordered and apart from each other, `first` (the model's) among them. The body is
  /// a JSON object that was checked before.
  package func splices(of body: Span<UInt8>, adding first: Splice?) -> [Splice] {
    var walk = EditWalk(self, of: Self.object(of: body), adding: first, mostPlaces: .max)
    _ = walk.goOn(body, budget: .max)
    return walk.splices
  }
}
