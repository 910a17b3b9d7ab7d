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
    let isHead = connection.parser.head.method == .head
    let version = connection.parser.head.version
    var text = rest
    let isComplete = text.write(upTo: Limits.pagePiece, now: now, into: &draft.body) == .complete
    // A length that is known is told; else chunks where the client knows them, else the connection's end.
    let length = isComplete ? draft.body.count : text.rest.map { draft.body.count + $0 }
    let framing = length == nil && version == .http11 ? RelayFraming.chunked : .identity
    let isCloseDelimited = length == nil && version == .http10
    draft.begin(status, type: type)
    draft.appendLength(length.map { Int64($0) }, framing)
    draft.head.appendField("X-Request-ID", id.span)
    if status == 503 { draft.head.appendField("Retry-After", "5") }
    end(&draft, connection, closes: isCloseDelimited)
    if isCloseDelimited { connection.keepsAlive = false }
    log.page(status: status, id: id)
    discardRequest(connection)
    if isHead { draft.body.removeAll() }
    draft.write(to: connection.output, framing)
    giveBack(draft)
    if isComplete || isHead {
      finishAnswer(connection, keepsAlive: true, now: now.instant)
    } else {
      tasks[connection.id].page = UnfinishedPage(text, framing)
      awaitRoom(connection, now)
    }
  }

  /// The next piece comes in a later turn, or when the client's socket has drained.
  func awaitRoom(_ connection: Connection, _ now: Moment) {
    if connection.output.isBlocked || connection.output.isBroken {
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
    draft.write(to: connection.output, unfinished.framing)
    giveBack(draft)
    switch progress {
    case .more:
      tasks[connection.id].page = unfinished
      awaitRoom(connection, now)
    case .complete where unfinished.isFollowed: downstream.settle(connection, now: now.instant)
    case .complete:
      if unfinished.framing == .chunked { connection.output.write("0\r\n\r\n" as StaticString) }
      finishAnswer(connection, keepsAlive: true, now: now.instant)
    case .outdated: break
    }
  }
}
