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
  fileprivate var toldExchange: UInt64 = 0
  fileprivate var toldBin: Int64 = 0
  fileprivate var toldStatuses: [ProviderStatus] = []
  fileprivate var toldInFlight = 0

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
    guard connection.parser.head.method == .get else {
      refuse(connection, .methodNotAllowed(allow: "GET"), now: now)
      return
    }
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
      watching.toldExchange = activity.exchanges
      watching.toldBin = activity.currentBin(now: now.instant)
      watching.toldStatuses = statuses(now: now.instant)
      watching.toldInFlight = runs.count
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
    var text = activityText(ending: "]}\n\n", now: now)
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

  private func statuses(now: Instant) -> [ProviderStatus] {
    (0..<runtime.health.statusCount).map { runtime.health.status(at: $0, now: now) }
  }

  /// Tells everybody what has changed, once a time.
  func tellWatchers(now: Moment) {
    guard watching.nextDue <= now.instant else { return }
    watching.nextDue = now.instant + Limits.watchEvery
    page.removeAll()
    let isChanged = writeChanges(now: now)
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

  /// Writes an event of at most `Limits.watchBytes`: providers whose state is another, then the others that changed,
  /// then exchanges, the last first. Providers that have no room come the next time; exchanges are left out, which
  /// their numbers tell. False where there is nothing to tell.
  private func writeChanges(now: Moment) -> Bool {
    let statuses = statuses(now: now.instant)
    let isChanged =
      activity.exchanges != watching.toldExchange || runs.count != watching.toldInFlight
      || statuses != watching.toldStatuses
    guard isChanged else { return false }
    page.append("data: {")
    writeFigures(now: now)
    writeBins(from: watching.toldBin, now: now)
    watching.toldBin = activity.currentBin(now: now.instant)
    watching.toldInFlight = runs.count
    // A list of another length is another configuration's, whose streams have ended.
    var told = watching.toldStatuses
    page.append(#","providers":["#)
    var isFirst = true
    for isUrgent in [true, false] {
      for place in statuses.indices where statuses[place] != told[place] {
        if (statuses[place].state != told[place].state) != isUrgent { continue }
        let isIn = append(isFirst: isFirst) {
          ProviderPage.write(statuses[place], now: now, into: &page)
          page.append("}")
        }
        guard isIn else { break }
        told[place] = statuses[place]
        isFirst = false
      }
    }
    watching.toldStatuses = told
    page.append(#"],"exchanges":["#)
    isFirst = true
    activity.forEachMark(after: watching.toldExchange) { mark in
      let isIn = append(isFirst: isFirst) { mark.write(into: &page) }
      isFirst = false
      return isIn
    }
    watching.toldExchange = activity.exchanges
    page.append("]}\n\n")
    return true
  }

  /// One more element of the event's list; taken back where it is too much.
  private func append(isFirst: Bool, _ write: () -> Void) -> Bool {
    let before = page.count
    if !isFirst { page.append(",") }
    write()
    if page.count > Limits.watchBytes {
      page.truncate(to: before)
      return false
    }
    return true
  }
}
