package import Base

/// The answer to a list of inputs, taken apart: what each of those is owed who asked about one.
///
/// A part is the answer as it came, byte for byte, but for three things: `data` has the one element whose `index` it is,
/// that index is 0, and each count of `usage` is its share. Nothing is parsed and written again: a number of an
/// embedding has the digits that the provider gave it, and so has base64.
package struct EmbeddingAnswer: Sendable {
  /// Why it is no answer to that list.
  package enum Fault: Error, Equatable, Sendable {
    /// There is no one list of embeddings in it, or other lists beside it that may be about all inputs.
    case notAList
    case wrongCount
    /// An element without an index, with another's, or with one that was not asked for.
    case wrongIndex
    case noEmbedding
    /// More than `Limits.gatheredRest` stands beside the list, and each would get all of it.
    case tooMuchBeside

    /// For people.
    package var words: StaticString {
      switch self {
      case .notAList: "a list of inputs was not answered with a list of embeddings"
      case .wrongCount: "not every input of a list has an embedding"
      case .wrongIndex: "the embeddings of a list do not say whose they are"
      case .noEmbedding: "an input of a list has no embedding"
      case .tooMuchBeside: "the answer to a list of inputs has too much beside the embeddings"
      }
    }
  }

  private struct Element {
    var value = 0..<0
    var index = 0..<0
  }

  /// A place that differs from part to part.
  private struct Place {
    enum What {
      case list
      /// A count of tokens, to be shared out.
      case count(Int64)
    }
    var range: Range<Int>
    var what: What

    var isList: Bool {
      switch what {
      case .list: true
      case .count: false
      }
    }
  }

  /// By the input's place in the list.
  private var elements: [Element]
  /// In the order of the bytes.
  private var places: [Place] = []
  /// What the inputs before each one weigh together, and behind them what all do.
  private var before: [Int64] = [0]

  /// - Parameters:
  ///   - probe: has accepted `bytes`.
  ///   - weights: of the inputs in their order, each more than 0, together less than 2²⁰.
  init(_ probe: borrowing JSONProbe, in bytes: Span<UInt8>, weights: [Int]) throws(Fault) {
    elements = Array(repeating: Element(), count: weights.count)
    for weight in weights { before.append(before[before.count - 1] + Int64(weight)) }
    guard probe.root.kind == .object, probe.count(of: "data", in: bytes) == 1,
      let list = probe.value(of: "data", in: bytes)
    else { throw .notAList }
    if bytes.count - list.value.count > Limits.gatheredRest { throw .tooMuchBeside }
    for member in probe.members {
      if bytes.jsonEquals(member.key, "data") {
        try readList(member, in: bytes)
      } else if bytes.jsonEquals(member.key, "usage") {
        readCounts(member, in: bytes, depth: 0)
      } else if member.kind == .array {
        throw .notAList
      }
    }
    // Providers that write `Data` have none.
    if places.allSatisfy({ !$0.isList }) { throw .notAList }
  }

  private mutating func readList(_ list: JSONMember, in bytes: Span<UInt8>) throws(Fault) {
    guard list.kind == .array else { throw .notAList }
    var count = 0
    var cursor = JSONCursor(list)
    while let element = cursor.next(bytes) {
      count += 1
      var index: JSONMember?
      var hasEmbedding = false
      var inner = JSONCursor(element)
      while let member = inner.next(bytes) {
        if bytes.jsonEquals(member.key, "index") {
          if index != nil { throw .wrongIndex }
          index = member
        } else if bytes.jsonEquals(member.key, "embedding") {
          hasEmbedding = (member.kind == .array || member.kind == .string) && member.value.count > 2
        }
      }
      guard let index, let place = bytes.extracting(index.value).decimal, place < elements.count,
        elements[Int(place)].value.isEmpty
      else { throw .wrongIndex }
      if !hasEmbedding { throw .noEmbedding }
      elements[Int(place)] = Element(value: element.value, index: index.value)
    }
    if count != elements.count { throw .wrongCount }
    places.append(Place(range: list.value.lowerBound + 1..<list.value.upperBound - 1, what: .list))
  }

  /// Whole numbers of `usage` and of what it has inside are counts. What is none stays as it is.
  private mutating func readCounts(_ usage: JSONMember, in bytes: Span<UInt8>, depth: Int) {
    guard usage.kind == .object, depth < Limits.usageDepth else { return }
    var cursor = JSONCursor(usage)
    while let member = cursor.next(bytes) {
      if member.kind == .number, let count = bytes.extracting(member.value).decimal, count <= Limits.quantity
      {
        places.append(Place(range: member.value, what: .count(count)))
      } else {
        readCounts(member, in: bytes, depth: depth + 1)
      }
    }
  }

  /// The share of the input at that place in a count of all: by weight, and together the whole.
  package func share(of whole: Int64, at place: Int) -> Int64 {
    let all = before[before.count - 1]
    return whole * before[place + 1] / all - whole * before[place] / all
  }

  /// Tokens of all, as those of the input at that place.
  package func share(of usage: TokenUsage, at place: Int) -> TokenUsage {
    func part(_ count: Quantity?) -> Quantity? { count.map { Quantity(share(of: $0.value, at: place)) } }
    return TokenUsage(input: part(usage.input), output: part(usage.output), total: part(usage.total))
  }

  /// Writes what the input at that place is owed. `bytes`: the answer.
  package func write(_ place: Int, of bytes: Span<UInt8>, into out: inout ByteBuffer) {
    var at = 0
    for changed in places {
      out.append(bytes.extracting(at..<changed.range.lowerBound))
      switch changed.what {
      case .list:
        let element = elements[place]
        out.append(bytes.extracting(element.value.lowerBound..<element.index.lowerBound))
        out.append(UInt8(ascii: "0"))
        out.append(bytes.extracting(element.index.upperBound..<element.value.upperBound))
      case .count(let count): out.append(decimal: share(of: count, at: place))
      }
      at = changed.range.upperBound
    }
    out.append(bytes.extracting(at..<bytes.count))
  }
}
