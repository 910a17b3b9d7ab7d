// What tables give back when the process rests: the room that a burst made them take. Each page of the heap that holds a
// piece of it stays otherwise.
extension Array {
  /// Gives back the room that is not used, where it is most of it.
  package mutating func dropSpareRoom() {
    if isEmpty { self = [] }
    if capacity <= count * 2 { return }
    var tight: [Element] = []
    tight.reserveCapacity(count)
    tight.append(contentsOf: self)
    self = tight
  }
}

extension Dictionary {
  package mutating func dropSpareRoom() { if isEmpty { self = [:] } }
}

extension Set {
  package mutating func dropSpareRoom() { if isEmpty { self = [] } }
}
