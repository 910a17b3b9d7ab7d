internal import Admin
internal import Base
internal import CLinux
internal import Downstream
internal import Exchange
internal import Kernel
internal import Observability
internal import Upstream
internal import Wire

// How our own pages get out. A page that fits into one piece leaves at once; of a larger one a piece is written each
// time that the client has taken the last one, and other work comes between: it holds neither the loop nor memory.
extension Runner {
  /// Sends the beginning that is in the draft's body, and `rest` behind it. HEAD gets the head alone.
  func sendPage(
    _ page: consuming AnswerDraft, _ rest: PageText = .none, to connection: Connection, status: Int,
    type: StaticString, now: Moment
  ) {
    var draft = page
    let id = requestID(of: connection)
    let isHead = connection.head.method == .head
    var text = rest
    let isComplete = text.write(upTo: Limits.pagePiece, now: now, into: &draft.body) == .complete
    let length = isComplete ? draft.body.count : text.rest.map { draft.body.count + $0 }
    draft.begin(status, type: type)
    draft.appendFraming(for: connection, length: length.map { Int64($0) }, hasBody: !isHead)
    draft.head.appendField("X-Request-ID", id.span)
    if status == 503 { draft.head.appendField("Retry-After", "5") }
    end(&draft, connection)
    log.page(status: status, id: id)
    discardRequest(connection)
    if isHead { draft.body.removeAll() }
    draft.send(to: connection)
    giveBack(draft)
    if isComplete || isHead {
      finishAnswer(connection, now: now.instant)
    } else {
      tasks[connection.id].page = UnfinishedPage(text)
      awaitRoom(connection, now)
    }
  }

  /// The next piece comes in a later turn, or when the client's socket has drained.
  func awaitRoom(_ connection: Connection, _ now: Moment) {
    if connection.sink.isBlocked || connection.sink.isBroken {
      downstream.settle(connection, now: now.instant)
    } else {
      openPages.append(connection.id)
    }
  }

  /// Pages wait for their turn, and their clients for them.
  var hasPagesToWrite: Bool { !openPages.isEmpty }

  /// A client whose page is not complete has taken all that there was.
  func pageDrained(_ connection: Connection) { openPages.append(connection.id) }

  /// Writes a piece of each of some pages: those that have waited longest.
  func continuePages(_ now: Moment) {
    for _ in 0..<min(openPages.count, Limits.pagePiecesPerTurn) {
      let id = openPages.removeFirst()
      if let connection = downstream.connection(id) { continuePage(connection, now) }
    }
  }

  private func continuePage(_ connection: Connection, _ now: Moment) {
    guard let unfinished = tasks[connection.id].page.take() else { return }
    var draft = takeDraft()
    let progress = unfinished.text.write(upTo: Limits.pagePiece, now: now, into: &draft.body)
    if case .outdated = progress {
      // Without its end the page shows that it was cut.
      downstream.close(connection)
      return
    }
    draft.send(to: connection)
    giveBack(draft)
    switch progress {
    case .more:
      tasks[connection.id].page = unfinished
      awaitRoom(connection, now)
    case .complete where unfinished.isFollowed: downstream.settle(connection, now: now.instant)
    case .complete:
      connection.sink.end()
      finishAnswer(connection, now: now.instant)
    case .outdated: break
    }
  }
}
