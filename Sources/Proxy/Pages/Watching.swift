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
    var draft = takeDraft()
    draft.begin(200, type: "text/event-stream; charset=utf-8")
    draft.appendFraming(for: connection, length: nil)
    draft.appendStreamFields()
    draft.head.appendField("X-Request-ID", id.span)
    end(&draft, connection)
    log.page(status: 200, id: id)
    discardRequest(connection)
    if watching.watchers.isEmpty {
      watching.told = ToldState(pageSource(), now: now.instant)
      watching.nextDue = now.instant + Limits.watchEvery
      watching.signDue = now.instant + Limits.watchSign
    }
    watching.watchers.append(Watching.Watcher(id: connection.id))
    sendAll(behind: &draft, to: connection, now: now)
    giveBack(draft)
  }

  /// Sends a draft's head, and the whole behind it, in pieces where it is large.
  private func sendAll(behind draft: inout AnswerDraft, to connection: Connection, now: Moment) {
    draft.body.removeAll()
    draft.body.append("event: all\ndata: ")
    var text = pageSource().writeActivity(ending: "]}\n\n", now: now, into: &draft.body)
    let progress = text.write(upTo: Limits.pagePiece, now: now, into: &draft.body)
    draft.send(to: connection)
    switch progress {
    case .complete: downstream.settle(connection, now: now.instant)
    case .more, .outdated:
      tasks[connection.id].page = UnfinishedPage(text, isFollowed: true)
      awaitRoom(connection, now)
    }
  }

  /// Tells everybody what has changed, once a time.
  func tellWatchers(now: Moment) {
    guard watching.nextDue <= now.instant else { return }
    watching.nextDue = now.instant + Limits.watchEvery
    var draft = takeDraft()
    let isChanged = watching.told.writeChanges(of: pageSource(), now: now, into: &draft.body)
    if !isChanged, watching.signDue <= now.instant { draft.body.append(": still here\n\n") }
    if !draft.body.isEmpty { watching.signDue = now.instant + Limits.watchSign }
    for index in watching.watchers.indices {
      guard let connection = downstream.connection(watching.watchers[index].id) else { continue }
      if connection.sink.isBlocked || tasks[connection.id].page != nil {
        // It still reads what it was told before. If it never does, its time runs out.
        watching.watchers[index].hasMissed = watching.watchers[index].hasMissed || isChanged
      } else if !watching.watchers[index].hasMissed, !draft.body.isEmpty {
        draft.send(to: connection)
        downstream.settle(connection, now: now.instant)
      }
    }
    for index in watching.watchers.indices where watching.watchers[index].hasMissed {
      guard let connection = downstream.connection(watching.watchers[index].id), !connection.sink.isBlocked,
        tasks[connection.id].page == nil
      else { continue }
      watching.watchers[index].hasMissed = false
      sendAll(behind: &draft, to: connection, now: now)
    }
    giveBack(draft)
  }

  /// Ends every stream; the pages come again.
  func endWatching(now: Instant) {
    let all = watching.watchers
    watching = Watching()
    for watcher in all {
      guard let connection = downstream.connection(watcher.id) else { continue }
      connection.sink.end()
      finishAnswer(connection, now: now)
    }
  }
}
