package import Base

/// Makes the fingerprint under which a request's answer is cached and shared.
///
/// Equal fingerprints mean: the same endpoint, the same scope, and bodies that are the same JSON value. The
/// other way round it is generous only where that is cheap: insignificant white space and the order of the
/// top-level members fold, and so do escapes in top-level keys; inside of values, texts count as written
/// (`1.0` is not `1`, `"\u0061"` is not `"a"`, and the order of nested members matters).
///
/// Fed in order: the endpoint, the query and whether it streams, then each `vary` field with its lines, then the client,
/// then the body. Every piece is preceded by a tag and its length, so that no two sequences read alike.
/// Nothing is allocated.
package struct RequestKey {
  private enum Tag: UInt8 { case endpoint = 1, field, line, client, body }

  private let key: KeyedHash.Key
  private var hash: KeyedHash
  /// How far the body has been taken in: members that are done, the next one's name and value, and a place in that.
  private var members = MemberPrints()
  private var name: Fingerprint?
  private var value: KeyedHash
  private var text = NormalisedText()
  private var hasNone = false
  /// The member whose value counts as nothing.
  private var omitted: StaticString?

  /// - Parameters:
  ///   - endpoint: however it was written.
  ///   - query: what followed the path's `?`; it counts as it was written.
  ///   - isStream: whether the answer will be an event stream.
  package init(key: KeyedHash.Key, endpoint: StaticString, query: Span<UInt8>, isStream: Bool) {
    self.key = key
    hash = KeyedHash(key: key)
    value = hash
    // Lifetime: a StaticString's bytes are always there.
    let name = UnsafeBufferPointer(start: endpoint.utf8Start, count: endpoint.utf8CodeUnitCount)
    put(.endpoint, Span(_unsafeElements: name))
    put(.line, query)
    hash.absorb(isStream ? 1 : 0)
  }

  /// A `vary` header of the configuration; call it also where the request has none of that name.
  package mutating func beginField(_ name: String) {
    var name = name
    name.withUTF8 { put(.field, $0.span) }
  }

  /// The value of one field line of that name.
  package mutating func addLine(_ value: Span<UInt8>) { put(.line, value) }

  /// The client's name in the configuration; not called for anonymous ones.
  package mutating func addClient(_ name: String) {
    var name = name
    name.withUTF8 { put(.client, $0.span) }
  }

  /// Requests that differ only in the value of that top-level member are the same.
  package mutating func omit(_ member: StaticString) { omitted = member }

  private mutating func put(_ tag: Tag, _ bytes: Span<UInt8>) {
    hash.absorb(tag.rawValue)
    hash.absorb(count: bytes.count)
    hash.absorb(bytes)
  }

  /// The fingerprint of a request whose body `probe` has accepted, or nil where the answer must be neither
  /// cached nor shared:
  /// 1. The body is not an object, or has more members than can be sorted here.
  /// 2. A top-level key appears twice (readers differ in which one counts) or has a lone surrogate.
  /// 3. A member asks for an effect at the provider or depends on its state: see `asksForState`.
  package consuming func finish(_ bytes: Span<UInt8>, _ probe: borrowing JSONProbe) -> Fingerprint? {
    _ = goOn(bytes, probe, upTo: .max)
    return finish()
  }

  /// Takes the body in, up to a place soon behind `limit`. True: to its end, or as far as it takes to know that it
  /// has no fingerprint.
  package mutating func goOn(_ bytes: Span<UInt8>, _ probe: borrowing JSONProbe, upTo limit: Int) -> Bool {
    guard probe.root.kind == .object, probe.members.count <= MemberPrints.room else { return giveUp() }  // 1
    while members.count < probe.members.count {
      let member = probe.members[members.count]
      if name == nil {
        if asksForState(bytes, member) { return giveUp() }  // 3
        var print = KeyedHash(key: key)
        guard print.absorb(decoding: bytes.extracting(member.key)) else { return giveUp() }  // 2
        name = print.finish()
        value = KeyedHash(key: key)
        text = NormalisedText()
      }
      let counts = omitted.map { !bytes.jsonEquals(member.key, $0) } ?? true
      let isDone =
        !counts
        || text.goOn(
          bytes.extracting(member.value), upTo: Swift.max(0, limit - member.value.lowerBound), into: &value)
      if !isDone { return false }
      guard let done = name, members.insert(name: done, value: value.finish()) else { return giveUp() }  // 2
      name = nil
      if member.value.upperBound >= limit, members.count < probe.members.count { return false }
    }
    return true
  }

  private mutating func giveUp() -> Bool {
    hasNone = true
    return true
  }

  /// The fingerprint of what was taken in whole, or nil as above.
  package consuming func finish() -> Fingerprint? {
    if hasNone { return nil }
    hash.absorb(Tag.body.rawValue)
    hash.absorb(count: members.count)
    for index in 0..<members.count {
      let member = members[index]
      hash.absorb(word: member.name.high)
      hash.absorb(word: member.name.low)
      hash.absorb(word: member.value.high)
      hash.absorb(word: member.value.low)
    }
    return hash.finish()
  }
}

/// Whether a top-level member makes the answer more than a function of the request:
/// 1. `store: true`, `background: true`: the provider is asked to keep something, or to work on.
/// 2. `previous_response_id`, `conversation`, `container` (unless null): the answer continues what the
///    provider keeps, and may change it.
/// 3. `mcp_servers` (unless null or an empty array): the provider calls out to others while it answers.
private func asksForState(_ bytes: Span<UInt8>, _ member: JSONMember) -> Bool {
  let key = member.key
  let value = bytes.extracting(member.value)
  if bytes.jsonEquals(key, "store") || bytes.jsonEquals(key, "background") {  // 1
    return !value.equals("false") && !value.equals("null")
  }
  if bytes.jsonEquals(key, "previous_response_id") || bytes.jsonEquals(key, "conversation")
    || bytes.jsonEquals(key, "container")
  {  // 2
    return !value.equals("null")
  }
  if bytes.jsonEquals(key, "mcp_servers") { return !value.equals("null") && !value.equals("[]") }  // 3
  return false
}

/// The members of one object as pairs of fingerprints, sorted by that of the key.
private struct MemberPrints {
  typealias Pair = (name: Fingerprint, value: Fingerprint)
  private var pairs = InlineArray<128, Pair>(
    repeating: (Fingerprint(high: 0, low: 0), Fingerprint(high: 0, low: 0)))
  private(set) var count = 0
  static let room = 128

  subscript(index: Int) -> Pair { pairs[index] }

  /// False for a key that is in already.
  mutating func insert(name: Fingerprint, value: Fingerprint) -> Bool {
    precondition(count < Self.room)
    var at = count
    while at > 0 {
      let before = pairs[at - 1].name
      if before == name { return false }
      if before.high < name.high || (before.high == name.high && before.low < name.low) { break }
      at -= 1
    }
    var move = count
    while move > at {
      pairs[move] = pairs[move - 1]
      move -= 1
    }
    pairs[at] = (name, value)
    count += 1
    return true
  }
}
