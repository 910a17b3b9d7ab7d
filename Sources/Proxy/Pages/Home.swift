internal import Admin
internal import Base
internal import Downstream
internal import Exchange
internal import Kernel
internal import Observability
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
    scratch.removeAll()
    scratch.appendStatusLine(status)
    scratch.append("ETag: ")
    scratch.append(home.tag)
    scratch.append("\r\nContent-Security-Policy: ")
    scratch.append(home.policy)
    scratch.append("\r\n")
    scratch.appendField("Cache-Control", "no-cache")
    scratch.appendField("X-Request-ID", id.span)
    if status == 200 {
      scratch.appendField("Content-Type", "text/html; charset=utf-8")
      scratch.appendField("X-Content-Type-Options", "nosniff")
      scratch.appendField("Referrer-Policy", "no-referrer")
      scratch.appendField("Content-Length", decimal: home.length)
    }
    appendConnectionField(connection, closes: false)
    scratch.appendHeadEnd()
    if status == 200, connection.parser.head.method != .head { home.write(into: &scratch) }
    scratch.withBytes { connection.output.write($0) }
    scratch.recycle(keeping: Limits.keptBuffer)
    log.page(status: status, id: id)
    discardRequest(connection)
    finishAnswer(connection, keepsAlive: true, now: now.instant)
  }
}
