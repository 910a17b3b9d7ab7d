internal import Admin
internal import Base
internal import Downstream
internal import Exchange
internal import Kernel
internal import Observability
internal import Upstream
internal import Wire

// The page for people, as a client gets it.
extension Runner {
  /// `GET /`. It holds no figures, and so wants no token; what it shows it asks for with one.
  func sendHome(_ connection: Connection, now: Moment) {
    let home = home
    let isKnown = connection.head.value(of: "if-none-match", in: connection.inbound.bytes).map {
      known in
      connection.inbound.withBytes(known) { known in
        var tag = home.tag
        return tag.withUTF8 { known.firstRange(of: Span(_unsafeElements: $0)) != nil }
      }
    }
    let status = isKnown == true ? 304 : 200
    let id = requestID(of: connection)
    var draft = takeDraft()
    draft.begin(status, type: status == 200 ? "text/html; charset=utf-8" : nil)
    draft.appendText("ETag", home.tag)
    draft.appendText("Content-Security-Policy", home.policy)
    draft.head.appendField("Cache-Control", "no-cache")
    draft.head.appendField("X-Request-ID", id.span)
    if status == 200 {
      draft.head.appendField("X-Content-Type-Options", "nosniff")
      draft.head.appendField("Referrer-Policy", "no-referrer")
    }
    draft.appendFraming(
      for: connection, length: status == 200 ? Int64(home.length) : nil, hasBody: status == 200)
    end(&draft, connection)
    if status == 200, connection.head.method != .head { home.write(into: &draft.body) }
    draft.send(to: connection)
    giveBack(draft)
    log.page(status: status, id: id)
    discardRequest(connection)
    finishAnswer(connection, now: now.instant)
  }
}
