import Base
import Exchange
import Policy
import TestSupport
import Testing
import Wire

@Suite struct EditsPropertyTests {
  /// Any edits of any body: still JSON, what the model says, in order and apart.
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func agreesWithTheModel(_ seed: UInt64) {
    var maker = EditsMaker(seed: seed &* 0x9e37_79b9)
    var changes = 0
    for _ in 0..<400 {
      let body = maker.body()
      let edits = maker.edits()
      let model = maker.random.below(2) == 0 ? #""other/m""# : nil
      let first = model.flatMap { modelSplice($0, in: body) }
      let splices = BodyEdits(edits).splices(of: body.span, adding: first)
      let budget = 1 + maker.random.below(40)
      #expect(Self.inSlices(edits, body, first, budget, mostPlaces: .max) == splices)
      var at = 0
      for splice in splices {
        #expect(splice.range.lowerBound >= at)
        at = splice.range.upperBound
      }
      #expect(at <= body.count)
      let result = spliced(body, splices)
      for most in 0..<4 {
        #expect(
          Self.rewritten(edits, body, first, budget, mostPlaces: most)
            == (splices.count > most ? result : nil))
      }
      changes += result == body ? 0 : 1
      let isRight = isJSON(result) && Value(result) == Value(body).applying(edits, model: model)
      #expect(
        isRight,
        "\(String(decoding: body, as: UTF8.self)) with \(edits) became \(String(decoding: result, as: UTF8.self))"
      )
      if !isRight { return }
    }
    #expect(changes > 130, "the test is about something")
  }

  private static func walk(
    _ edits: [RequestEdit], _ body: [UInt8], _ first: Splice?, _ budget: Int, mostPlaces: Int
  ) -> EditWalk {
    var walk = EditWalk(
      BodyEdits(edits), of: BodyEdits.object(of: body.span), adding: first, mostPlaces: mostPlaces)
    while !walk.goOn(body.span, budget: budget) {}
    return walk
  }

  private static func inSlices(
    _ edits: [RequestEdit], _ body: [UInt8], _ first: Splice?, _ budget: Int, mostPlaces: Int
  ) -> [Splice] {
    walk(edits, body, first, budget, mostPlaces: mostPlaces).splices
  }

  private static func rewritten(
    _ edits: [RequestEdit], _ body: [UInt8], _ first: Splice?, _ budget: Int, mostPlaces: Int
  ) -> [UInt8]? {
    var walk = walk(edits, body, first, budget, mostPlaces: mostPlaces)
    let held = walk.bytesHeld
    guard let made = walk.takeBody() else { return nil }
    let bytes = made.withBytes { $0.withUnsafeBufferPointer { Array($0) } }
    #expect(held >= bytes.count && walk.splices.isEmpty)
    return bytes
  }

  /// Members that no edit names keep their bytes, white space included, and so does what is between them.
  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func whatIsNotEditedKeepsItsBytes(_ seed: UInt64) {
    var maker = EditsMaker(seed: seed &* 0x51ed_270b)
    for _ in 0..<300 {
      let body = maker.body()
      let edits = maker.edits()
      let named = Set(edits.map { String($0.path.prefix(1)) })
      let result = spliced(body, BodyEdits(edits).splices(of: body.span, adding: nil))
      let before = Self.members(body)
      let after = Self.members(result)
      for (key, value) in before where !named.contains(key) {
        #expect(
          after.contains { $0.0 == key && $0.1 == value },
          "\(key) of \(String(decoding: body, as: UTF8.self))")
      }
      if edits.isEmpty { #expect(result == body) }
    }
  }

  private static func members(_ body: [UInt8]) -> [(String, [UInt8])] {
    var probe = JSONProbe()
    try? probe.scan(body.span)
    return probe.members.map {
      let key = String(decoding: body[$0.key], as: UTF8.self)
      return (key == #"\u0061"# ? "a" : key, Array(body[$0.value]))
    }
  }
}
