internal import Base
internal import CCurl
internal import CLinux

extension Upstream {
  /// Says so where an answer begins as a TLS record does (RFC 8446 §5.1): an alert, since no request is a handshake.
  func sayIfTLS(_ bytes: Span<UInt8>, _ slot: Slot) {
    guard bytes.count >= 2, 20...23 ~= bytes[0], bytes[1] == 3, !slot.isHeadSeen, let spec = slot.target?.spec
    else {
      return
    }
    slot.say("\(spec.place) speaks TLS on this port: https:// is meant, or another port")
  }
}

extension TransferTarget {
  /// Why a connection could not be made, where that is known better than libcurl says it: its words name neither the
  /// errno nor, where time was up, what for.
  func words(for fault: TransferFault, code: CURLcode, error: Int32, libcurl message: String) -> String {
    let place = proxy == nil ? socket ?? place : "the proxy"
    switch fault {
    case .couldNotResolve:
      // A proxy for HTTP looks the host up itself, and may be dialled as a host is.
      let isProxy = code == CURLE_COULDNT_RESOLVE_PROXY || proxy?.hasPrefix("http") == true
      let name = isProxy ? "the proxy's name" : "the name \(hostName)"
      return "\(name) is not found: DNS does not know it, or does not answer"
    case .couldNotConnect where error == ECONNREFUSED:
      return "\(place) refuses connections: nothing listens there"
    case .couldNotConnect where error == ETIMEDOUT: return "\(place) does not answer"
    case .couldNotConnect where error != 0:
      // Lifetime: strerror's text is copied at once.
      return "no way to \(place): \(String(cString: strerror(error)))"
    case .connectTimedOut: return "no connection to \(place) within \(connectTimeout.milliseconds) ms"
    case .couldNotConnect, .tlsFailed, .reset, .closedEarly, .reusedConnectionDied, .refusedStream, .lostRace,
      .protocolError, .outOfDescriptors, .localFault:
      return message
    }
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
