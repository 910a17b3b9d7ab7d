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
  /// Sends what was composed in `page` and `rest` behind it. HEAD gets the head alone.
  func sendPage(
    _ connection: Connection, status: Int, type: StaticString, _ rest: PageText = .none, now: Moment
  ) {
    let id = requestID(of: connection)
    let isHead = connection.parser.head.method == .head
    let version = connection.parser.head.version
    var text = rest
    let isComplete = text.write(upTo: Limits.pagePiece, now: now, into: &page) == .complete
    // A length that is known is told; else chunks where the client knows them, else the connection's end.
    let length = isComplete ? page.count : text.rest.map { page.count + $0 }
    let isCloseDelimited = length == nil && version == .http10
    scratch.removeAll()
    scratch.appendStatusLine(status)
    scratch.appendField("Content-Type", type)
    if let length {
      scratch.appendField("Content-Length", decimal: length)
    } else if version == .http11 {
      scratch.appendField("Transfer-Encoding", "chunked")
    }
    scratch.appendField("X-Request-ID", id.span)
    if status == 503 { scratch.appendField("Retry-After", "5") }
    appendConnectionField(connection, closes: isCloseDelimited)
    scratch.appendHeadEnd()
    if isCloseDelimited { connection.keepsAlive = false }
    log.page(status: status, id: id)
    discardRequest(connection)
    let framing = length == nil && version == .http11 ? RelayFraming.chunked : .identity
    if isHead { page.removeAll() }
    write(to: connection, framing)
    if isComplete || isHead {
      finishAnswer(connection, keepsAlive: true, now: now.instant)
    } else {
      tasks[connection.id].page = UnfinishedPage(text, framing)
      awaitRoom(connection, now)
    }
  }

  /// Sends what is in `scratch`, and `page` behind it in its framing.
  func write(to connection: Connection, _ framing: RelayFraming) {
    let isChunk = framing == .chunked && !page.isEmpty
    if isChunk { scratch.appendChunkStart(page.count) }
    let end: StaticString = isChunk ? "\r\n" : ""
    scratch.withBytes { head in
      page.withBytes { piece in
        head.withUnsafeBufferPointer { head in
          piece.withUnsafeBufferPointer { piece in
            // Lifetime: a StaticString's bytes are always there; the buffers are not changed during the call.
            connection.output.write(
              UnsafeRawBufferPointer(head), UnsafeRawBufferPointer(piece),
              UnsafeRawBufferPointer(start: end.utf8Start, count: end.utf8CodeUnitCount))
          }
        }
      }
    }
    scratch.recycle(keeping: Limits.keptBuffer)
    page.recycle(keeping: Limits.pagePiece * 2)
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
    page.removeAll()
    scratch.removeAll()
    let progress = unfinished.text.write(upTo: Limits.pagePiece, now: now, into: &page)
    if case .outdated = progress {
      // Without its end the page shows that it was cut.
      downstream.close(connection)
      return
    }
    write(to: connection, unfinished.framing)
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
