package import Base
internal import CCurl
internal import CLinux

/// Why a transfer did not end well.
package enum TransferFault: Equatable, Sendable {
  case couldNotResolve
  /// Refused, unreachable, or no address answered.
  case couldNotConnect
  /// Look-up, connection and handshake together took longer than the target allows.
  case connectTimedOut
  case tlsFailed
  /// The connection was lost after the request went out.
  case reset
  /// The answer stopped before its end.
  case closedEarly
  /// A pooled connection turned out to be dead before a byte of the answer came. The request was not sent
  /// again.
  case reusedConnectionDied
  /// Another transfer of the race sends the request; this one sent nothing.
  case lostRace
  /// What came is not HTTP as we take it: a malformed or too long head.
  case protocolError
  /// Something on our side: memory, descriptors, an unusable URL.
  case localFault
}

/// How a transfer ended.
package struct TransferOutcome: Equatable, Sendable {
  /// nil: the answer is complete.
  package var fault: TransferFault?
  /// Status of the final head; 0 where none came.
  package var status: Int
  /// Body bytes received.
  package var received: UInt64
  /// The connection stood and libcurl took the whole body.
  package var isRequestSent: Bool
  package var isReused: Bool
  /// Time until the connection stood and until the TLS handshake was done; zero on a reused connection.
  package var connectTime: Interval
  package var handshakeTime: Interval
  /// libcurl's result code and the last errno of the connection, for the log.
  package var code: Int32
  package var systemError: Int32

  package var isHeadSeen: Bool { status != 0 }
  /// The kernel gave the connection up: keep-alive probes, or bytes of ours, went unanswered (tcp(7)).
  package var isPathLost: Bool {
    systemError == ETIMEDOUT || systemError == EHOSTUNREACH || systemError == ENETUNREACH
  }
}

extension TransferFault {
  /// What it means that the transfer was given up from here; nil: it was not.
  init?(_ abort: Slot.Abort) {
    switch abort {
    case .none: return nil
    case .lostRace: self = .lostRace
    case .reusedConnectionDied: self = .reusedConnectionDied
    case .unusableHead: self = .protocolError
    }
  }
}

extension Upstream {
  /// The outcome of a transfer that libcurl has finished. The handle must still be as libcurl left it.
  func outcome(of slot: Slot, code: CURLcode) -> TransferOutcome {
    let easy = slot.easy!
    var connect: Int64 = 0
    var handshake: Int64 = 0
    var systemError = 0
    if slot.socketsOpened > 0 {
      _ = ccurl_info_size(easy, CURLINFO_CONNECT_TIME_T, &connect)
      _ = ccurl_info_size(easy, CURLINFO_APPCONNECT_TIME_T, &handshake)
    }
    var uploaded = Int64(slot.bodyTaken)
    if slot.abort == .reusedConnectionDied {
      // libcurl had begun anew and forgotten its count.
      if slot.isBodyLent { uploaded = Int64(slot.bodySize) }
    } else if slot.isBodyLent {
      _ = ccurl_info_size(easy, CURLINFO_SIZE_UPLOAD_T, &uploaded)
    }
    if code != CURLE_OK { _ = ccurl_info_long(easy, CURLINFO_OS_ERRNO, &systemError) }
    return TransferOutcome(
      fault: fault(slot, code), status: slot.isHeadSeen ? slot.status : 0, received: slot.received,
      isRequestSent: slot.connectedAt != nil && Int(uploaded) >= slot.bodySize, isReused: slot.isReused,
      connectTime: .microseconds(connect), handshakeTime: .microseconds(handshake),
      code: Int32(code.rawValue), systemError: Int32(truncatingIfNeeded: systemError))
  }

  /// What a result code means (libcurl-errors(3)), by what is known of the transfer.
  ///
  /// 1. Our own callbacks gave it up. 2. Complete, if a head came at all. 3. 65: libcurl wanted to send the
  /// body again and could not. 4. A reused connection that brought nothing. 5. Before the connection was
  /// ready: look-up, TLS, time, the rest. 6. A body or stream cut short. 7. A connection lost. 8. Not HTTP.
  /// 9. Ours.
  private func fault(_ slot: Slot, _ code: CURLcode) -> TransferFault? {
    // 1
    if let fault = TransferFault(slot.abort) { return fault }
    let isLost =
      code == CURLE_GOT_NOTHING || code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR
      || code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM || code == CURLE_PARTIAL_FILE
      || code == CURLE_OPERATION_TIMEDOUT
    switch code {
    // 2
    case CURLE_OK: return slot.isHeadSeen ? nil : .protocolError
    // 3
    case CURLE_SEND_FAIL_REWIND: return .reusedConnectionDied
    // 4
    case _ where isLost && slot.isReused && slot.firstByteAt == nil: return .reusedConnectionDied
    // 5
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: return .couldNotResolve
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_SHUTDOWN_FAILED, CURLE_SSL_CRL_BADFILE,
      CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT:
      return .tlsFailed
    case CURLE_OPERATION_TIMEDOUT where slot.connectedAt == nil: return .connectTimedOut
    case CURLE_COULDNT_CONNECT, CURLE_PROXY: return .couldNotConnect
    case _ where isLost && slot.connectedAt == nil: return .couldNotConnect
    // 6
    case CURLE_PARTIAL_FILE: return .closedEarly
    case CURLE_HTTP2, CURLE_HTTP2_STREAM: return slot.isHeadSeen ? .closedEarly : .reset
    // 7
    case _ where isLost: return .reset
    // 8
    case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_WRITE_ERROR,
      CURLE_BAD_CONTENT_ENCODING:
      return .protocolError
    case _ where code.rawValue == UInt32(ccurl_too_large): return .protocolError
    // 9
    default: return .localFault
    }
  }
}
