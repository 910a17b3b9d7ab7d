internal import Policy
internal import Upstream

/// Requests that wait for others like them, and those that were sent as one.
struct Batches {
  var gatherings = Gatherings()
  var waiting: [GatheringID: BatchCall] = [:]
  var sent: [TransferID: BatchCall] = [:]
}
