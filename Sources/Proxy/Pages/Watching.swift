internal import Admin
internal import Base
internal import Downstream
internal import Exchange
internal import Kernel
internal import Observability
internal import Policy
internal import Upstream
internal import Wire

/// Who has the page open, and what they were told last.
///
/// All are told the same. Who comes gets the whole first, and so does who has missed something since.
struct Watching {
  fileprivate struct Watcher {
    let id: SlotID
    var hasMissed = false
  }

  fileprivate var watchers: [Watcher] = []
  fileprivate(set) var nextDue = Instant.distantFuture
  fileprivate var signDue = Instant.distantFuture
  fileprivate var told = ToldState()

  /// Somebody has gone.
  mutating func remove(_ id: SlotID) {
    guard !watchers.isEmpty else { return }
    watchers.removeAll { $0.id == id }
    if watchers.isEmpty { self = Watching() }
  }
}

// `GET /admin/events`: an event stream of what changes, as long as somebody looks (WHATWG HTML §9.2).
extension Runner {
  /// The whole as the first event, and then what changes.
  func watch(_ connection: Connection, now: Moment) {
    if isDraining || watching.watchers.count >= Limits.watchers {
      refuse(connection, isDraining ? .draining : .overloaded, now: now)
      return
    }
    let id = requestID(of: connection)
    scratch.removeAll()
    scratch.appendStatusLine(200)
    scratch.appendField("Content-Type", "text/event-stream; charset=utf-8")
    if isChunked(connection) { scratch.appendField("Transfer-Encoding", "chunked") }
    appendStreamFields()
    scratch.appendField("X-Request-ID", id.span)
    appendConnectionField(connection, closes: !isChunked(connection))
    scratch.appendHeadEnd()
    log.page(status: 200, id: id)
    discardRequest(connection)
    if watching.watchers.isEmpty {
      watching.told = ToldState(pageSource(), now: now.instant)
      watching.nextDue = now.instant + Limits.watchEvery
      watching.signDue = now.instant + Limits.watchSign
    }
    watching.watchers.append(Watching.Watcher(id: connection.id))
    sendAll(to: connection, now: now)
  }

  /// Sends what is in `scratch`, and the whole behind it, in pieces where it is large.
  private func sendAll(to connection: Connection, now: Moment) {
    let framing = isChunked(connection) ? RelayFraming.chunked : .identity
    page.removeAll()
    page.append("event: all\ndata: ")
    var text = pageSource().writeActivity(ending: "]}\n\n", now: now, into: &page)
    let progress = text.write(upTo: Limits.pagePiece, now: now, into: &page)
    write(to: connection, framing)
    switch progress {
    case .complete: downstream.settle(connection, now: now.instant)
    case .more, .outdated:
      tasks[connection.id].page = UnfinishedPage(text, framing, isFollowed: true)
      awaitRoom(connection, now)
    }
  }

  private func isChunked(_ connection: Connection) -> Bool { connection.parser.head.version == .http11 }

  /// Tells everybody what has changed, once a time.
  func tellWatchers(now: Moment) {
    guard watching.nextDue <= now.instant else { return }
    watching.nextDue = now.instant + Limits.watchEvery
    page.removeAll()
    let isChanged = watching.told.writeChanges(of: pageSource(), now: now, into: &page)
    if !isChanged, watching.signDue <= now.instant { page.append(": still here\n\n") }
    if !page.isEmpty { watching.signDue = now.instant + Limits.watchSign }
    for index in watching.watchers.indices {
      guard let connection = downstream.connection(watching.watchers[index].id) else { continue }
      if connection.output.isBlocked || tasks[connection.id].page != nil {
        // It still reads what it was told before. If it never does, its time runs out.
        watching.watchers[index].hasMissed = watching.watchers[index].hasMissed || isChanged
      } else if !watching.watchers[index].hasMissed, !page.isEmpty {
        sendEvent(to: connection, now: now)
      }
    }
    for index in watching.watchers.indices where watching.watchers[index].hasMissed {
      guard let connection = downstream.connection(watching.watchers[index].id), !connection.output.isBlocked,
        tasks[connection.id].page == nil
      else { continue }
      watching.watchers[index].hasMissed = false
      scratch.removeAll()
      sendAll(to: connection, now: now)
    }
    page.recycle(keeping: Limits.keptBuffer)
  }

  /// Ends every stream; the pages come again.
  func endWatching(now: Instant) {
    let all = watching.watchers
    watching = Watching()
    for watcher in all {
      guard let connection = downstream.connection(watcher.id) else { continue }
      if isChunked(connection) { connection.output.write("0\r\n\r\n" as StaticString) }
      finishAnswer(connection, keepsAlive: isChunked(connection), now: now)
    }
  }

  /// Sends what is in `page`.
  private func sendEvent(to connection: Connection, now: Moment) {
    scratch.removeAll()
    if isChunked(connection) { scratch.appendChunkStart(page.count) }
    page.withBytes { scratch.append($0) }
    if isChunked(connection) { scratch.appendChunkEnd() }
    scratch.withBytes { connection.output.write($0) }
    scratch.recycle(keeping: Limits.keptBuffer)
    downstream.settle(connection, now: now.instant)
  }
}
