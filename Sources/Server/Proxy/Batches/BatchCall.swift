internal import Base
internal import Downstream
internal import Exchange
internal import Policy
internal import Upstream
internal import Wire

/// Requests for embeddings that are sent as one, and then wait for its answer: as a flight has subscriptions that get the same,
/// this has members that get a part each.
///
/// Each member is an exchange of its own, which makes its attempt together with the others: it may leave at any time, and
/// goes on alone where the attempt fails. Lifetime: the transfer reads `body` in place, so that goes after it was cancelled.
final class BatchCall {
  struct Member {
    let run: SlotID
    let attempt: Int
    let weight: Int
    /// In the list, once that is sent.
    var place = 0
  }

  let runtime: RuntimeConfiguration
  let choice: Choice
  /// Where they wait; nil: they have been sent.
  var gathering: GatheringID?
  private(set) var members: [Member] = []
  /// Of the inputs that were sent, whoever has left since.
  private(set) var weights: [Int] = []
  var size: Int { weights.count }
  var transfer: TransferID?
  /// The one request's.
  var body = ByteBuffer()
  private var reservation: MemoryReservation?
  /// Nil: none has come, or it is none.
  var answer: EmbeddingAnswer?

  init(_ runtime: RuntimeConfiguration, _ choice: Choice, in gathering: GatheringID) {
    self.runtime = runtime
    self.choice = choice
    self.gathering = gathering
  }

  func add(_ run: SlotID, attempt: Int, weight: Int) {
    members.append(Member(run: run, attempt: attempt, weight: weight))
  }

  func remove(_ run: SlotID) { members.removeAll { $0.run == run } }

  func place(of run: SlotID) -> Int? { members.first { $0.run == run }?.place }

  /// Those who are there are sent, in their order. `reservation`: of the memory, for the body.
  func fix(_ reservation: consuming MemoryReservation) {
    self.reservation = consume reservation
    weights = members.map { $0.weight }
    for place in members.indices { members[place].place = place }
  }

  /// Nobody waits for it any more.
  func release() {
    transfer = nil
    body.release()
    reservation = nil
    answer = nil
  }
}
