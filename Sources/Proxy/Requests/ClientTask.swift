internal import Base
internal import Downstream

/// What is done for a client from its request to the end of its answer. All nil: nothing.
struct ClientTask {
  /// What the client is owed of an exchange, or of a stored answer.
  var reply: Reply?
  /// Its request is passed on as it is.
  var passing: Passing?
  /// Its exchange is a pipe, or is to be one.
  var pipe: ExchangeRun?
  /// One of our own pages, while it is not written to its end.
  var page: UnfinishedPage?

  var isNothing: Bool { reply == nil && passing == nil && pipe == nil && page == nil }
}

/// The tasks, by connection.
///
/// A connection has one at a time, and a closed one's is ended in the turn in which it closed. So its slot is name enough.
struct ClientTasks {
  private var tasks: [ClientTask] = []
  /// Replies that are over: a request of any connection takes one again.
  private var spare: [Reply] = []

  subscript(id: SlotID) -> ClientTask {
    get { Int(id.slot) < tasks.count ? tasks[Int(id.slot)] : ClientTask() }
    _modify {
      while tasks.count <= Int(id.slot) { tasks.append(ClientTask()) }
      yield &tasks[Int(id.slot)]
    }
  }

  /// Ends a connection's task; what it was.
  mutating func end(_ id: SlotID) -> ClientTask {
    let task = self[id]
    if Int(id.slot) < tasks.count { tasks[Int(id.slot)] = ClientTask() }
    return task
  }

  /// A reply for a connection, to be begun.
  mutating func takeReply(for id: SlotID) -> Reply {
    guard let reply = spare.popLast() else { return Reply(connection: id) }
    reply.connection = id
    return reply
  }

  /// It is over, and nobody has it any more.
  mutating func giveBack(_ reply: Reply) {
    reply.end()
    if spare.count < Limits.spareReplies { spare.append(reply) }
  }

  /// Gives back what only bursts need.
  mutating func rest() {
    spare = []
    while tasks.last?.isNothing == true { tasks.removeLast() }
    tasks.dropSpareRoom()
  }
}
