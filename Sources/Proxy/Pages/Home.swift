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
    let isKnown = connection.parser.head.value(of: "if-none-match", in: connection.inbound.bytes).map {
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
      draft.appendLength(Int64(home.length), .identity)
    }
    end(&draft, connection, closes: false)
    if status == 200, connection.parser.head.method != .head { home.write(into: &draft.body) }
    draft.write(to: connection.output, .identity)
    giveBack(draft)
    log.page(status: status, id: id)
    discardRequest(connection)
    finishAnswer(connection, keepsAlive: true, now: now.instant)
  }
}
