import Base
import Testing

private final class Thing {}

@Suite struct SlotTableTests {
  @Test func atRestNoIDOfBeforeFindsAnybody() throws {
    var table = SlotTable<Thing>(capacity: 8)
    var before: [SlotID] = []
    for _ in 0..<3 {
      for _ in 0..<5 {
        _ = table.insert { id in
          before.append(id)
          return Thing()
        }
      }
      for id in before { table.remove(id) }
    }
    table.rest()
    #expect(table.places.isEmpty)
    for _ in 0..<8 { #expect(table.insert { _ in Thing() } != nil) }
    #expect(table.isFull && table.insert { _ in Thing() } == nil)
    for id in before { #expect(table[id] == nil) }
  }

  @Test func whoIsThereStays() throws {
    var table = SlotTable<Thing>(capacity: 8)
    var first: SlotID?
    let thing = try #require(
      table.insert { id in
        first = id
        return Thing()
      })
    table.rest()
    #expect(table[try #require(first)] === thing)
  }

  @Test func spareRoomIsDroppedAndElementsAreKept() {
    var many = Array(0..<1000)
    many.removeLast(997)
    many.dropSpareRoom()
    #expect(many == [0, 1, 2] && many.capacity < 100)
    many = []
    many.reserveCapacity(1000)
    many.dropSpareRoom()
    #expect(many.isEmpty && many.capacity == 0)
  }
}
