internal import Base
internal import CCurl
internal import CLinux

extension Upstream {
  /// Says why a connection could not be made, where that is known better than libcurl says it: its words name
  /// neither the errno nor, where time was up, what for.
  func sayWhy(_ outcome: TransferOutcome, _ slot: Slot, code: CURLcode) {
    let systemError = outcome.systemError
    guard let spec = slot.target?.spec else { return }
    let place = spec.proxy == nil ? spec.socket ?? spec.place : "the proxy"
    switch outcome.fault {
    case .couldNotResolve:
      let name = code == CURLE_COULDNT_RESOLVE_PROXY ? "the proxy's name" : "the name \(spec.hostName)"
      slot.say("\(name) is not found: DNS does not know it, or does not answer")
    case .couldNotConnect where systemError == ECONNREFUSED:
      slot.say("\(place) refuses connections: nothing listens there")
    case .couldNotConnect where systemError == ETIMEDOUT: slot.say("\(place) does not answer")
    case .couldNotConnect where systemError != 0:
      // Lifetime: strerror's text is copied at once.
      slot.say("no way to \(place): \(String(cString: strerror(systemError)))")
    case .connectTimedOut where outcome.connectTime > .zero:
      slot.say(spec.lateHandshake)
    case .connectTimedOut:
      slot.say("no connection to \(place) within \(spec.connectTimeout.milliseconds) ms")
    case .tlsFailed where Self.isPlainText(slot.message):
      slot.say("\(place) does not speak TLS on this port: http:// is meant, or another port")
    case .couldNotConnect, .tlsFailed, .reset, .closedEarly, .reusedConnectionDied, .lostRace, .protocolError,
      .localFault, nil:
      break
    }
  }

  /// OpenSSL's words for an answer that is no TLS record.
  private static func isPlainText(_ message: UnsafePointer<CChar>) -> Bool {
    strstr(message, "wrong version number") != nil || strstr(message, "http request") != nil
      || strstr(message, "packet length too long") != nil
  }
}

extension TransferTarget {
  /// `host:port` as the URL has it.
  var place: String {
    let bytes = Array(url.utf8)
    guard let start = bytes.span.firstRange(of: "://") else { return url }
    return String(decoding: bytes[(start + 3)...].prefix { $0 != UInt8(ascii: "/") }, as: UTF8.self)
  }

  var lateHandshake: String {
    "\(place) does not finish the TLS handshake within \(connectTimeout.milliseconds) ms"
  }

  /// The host alone; v6 with its brackets.
  var hostName: String {
    let bytes = Array(place.utf8)
    let isPort = { (colon: Int) in !bytes[colon...].contains(UInt8(ascii: "]")) }
    guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")), isPort(colon) else { return place }
    return String(decoding: bytes[..<colon], as: UTF8.self)
  }
}
