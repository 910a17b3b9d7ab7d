internal import Base
internal import CCurl

// Easy handles: what is set once, and what differs from transfer to transfer.
extension Upstream {
  /// A handle with everything that never changes.
  func makeHandle(for slot: Slot) -> UnsafeMutableRawPointer? {
    guard let easy = curl_easy_init() else { return nil }
    connectCallbacks(easy: easy, of: slot)
    _ = ccurl_set_pointer(easy, CURLOPT_PRIVATE, slot.context)
    _ = ccurl_set_pointer(easy, CURLOPT_ERRORBUFFER, slot.message)
    _ = ccurl_set_pointer(easy, CURLOPT_SHARE, UnsafeMutableRawPointer(share))
    trust.apply(to: easy)
    _ = ccurl_only_http(easy)
    ccurl_leave_resolver_behind(easy)
    _ = ccurl_set_long(easy, CURLOPT_NOSIGNAL, 1)
    // HTTP/2 where TLS negotiates it, never in the clear.
    _ = ccurl_set_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
    _ = ccurl_set_long(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    _ = ccurl_set_long(easy, CURLOPT_DNS_CACHE_TIMEOUT, 60)
    _ = ccurl_set_long(easy, CURLOPT_BUFFERSIZE, Limits.upstreamBuffer)
    // A silent IPv6 path must have been left before the time of failover is over.
    _ = ccurl_set_long(easy, CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS, 60)
    slot.target = nil
    slot.wasPost = nil
    slot.uploadBuffer = 0
    slot.waitsForPipe = false
    slot.isFresh = false
    slot.connectsOnly = false
    slot.tunnels = false
    return easy
  }

  /// Sets what a connection needs that is handed over when it stands.
  func configure(toConnect slot: Slot, _ easy: UnsafeMutableRawPointer, _ target: Target) {
    aim(slot, easy, at: target)
    setConnectsOnly(slot, easy, true)
    // No list of an earlier request, which may be gone by now.
    _ = ccurl_set_pointer(easy, CURLOPT_HTTPHEADER, nil)
  }

  private func setConnectsOnly(_ slot: Slot, _ easy: UnsafeMutableRawPointer, _ connectsOnly: Bool) {
    if slot.connectsOnly == connectsOnly { return }
    _ = ccurl_set_long(easy, CURLOPT_CONNECT_ONLY, connectsOnly ? 1 : 0)
    slot.connectsOnly = connectsOnly
  }

  private func aim(
    _ slot: Slot, _ easy: UnsafeMutableRawPointer, at target: Target, query: Span<UInt8> = Span()
  ) {
    slot.host = target.host
    if slot.target === target, query.isEmpty, !slot.hasQuery { return }
    let spec = target.spec
    let separator = target.hasQuery ? "&" : "?"
    let url = target.lineRequest?.dialURL ?? spec.url
    _ = ccurl_set_text(easy, CURLOPT_URL, query.isEmpty ? url : url + separator + query.text)
    slot.hasQuery = !query.isEmpty
    _ = ccurl_set_text(easy, CURLOPT_UNIX_SOCKET_PATH, spec.socket)
    // The empty text switches the environment's proxy variables off.
    _ = ccurl_set_text(easy, CURLOPT_PROXY, spec.proxy ?? "")
    // What is dialled looks like plain HTTP to libcurl, which TLS will then go over.
    let tunnels = target.lineRequest?.isSecure ?? false
    if slot.tunnels != tunnels {
      _ = ccurl_set_long(easy, CURLOPT_HTTPPROXYTUNNEL, tunnels ? 1 : 0)
      slot.tunnels = tunnels
    }
    _ = ccurl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, max(1, Int(spec.connectTimeout.milliseconds)))
    slot.target = target
  }

  /// Sets what this request needs and the handle does not have yet.
  func configure(
    _ slot: Slot, _ easy: UnsafeMutableRawPointer, _ target: Target, query: Span<UInt8> = Span()
  ) {
    aim(slot, easy, at: target, query: query)
    setConnectsOnly(slot, easy, false)
    let isPost = slot.request.method == .post
    if slot.wasPost != isPost {
      _ = ccurl_set_long(easy, isPost ? CURLOPT_POST : CURLOPT_HTTPGET, 1)
      slot.wasPost = isPost
    }
    if isPost { configureBody(slot, easy) }
    // Waiting for a connection that is being made saves handshakes where streams share one. On first contact
    // it would only hide a dead path: nobody knows yet that there will be something to share.
    let waits = sharesConnections && target.speaksHTTP2
    if slot.waitsForPipe != waits {
      _ = ccurl_set_long(easy, CURLOPT_PIPEWAIT, waits ? 1 : 0)
      slot.waitsForPipe = waits
    }
    if slot.isFresh != slot.request.needsFreshConnection {
      slot.isFresh = slot.request.needsFreshConnection
      _ = ccurl_set_long(easy, CURLOPT_FRESH_CONNECT, slot.isFresh ? 1 : 0)
    }
    if isPost, !slot.list.hasContentType, !target.hasContentType { slot.list.suppress("Content-Type:") }
    // Lifetime: the nodes belong to the slot and the target; both stay until the transfer has left the multi.
    _ = ccurl_set_pointer(easy, CURLOPT_HTTPHEADER, slot.list.link(before: target.firstLine))
  }

  /// A small body is gathered and lent to libcurl, which sends it together with the head; a larger one comes by
  /// callback and cannot be rewound (no SEEKFUNCTION). Neither is ever sent twice: `connectionReady` refuses
  /// a second try.
  private func configureBody(_ slot: Slot, _ easy: UnsafeMutableRawPointer) {
    _ = ccurl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, Int64(slot.bodySize))
    slot.isBodyLent = slot.bodySize <= Limits.smallUpload
    if slot.isBodyLent {
      slot.lent.removeAll()
      for segment in slot.segments { slot.lent.append(segment) }
      if slot.segments.isEmpty { slot.lent.reserve(1) }
      slot.lent.withMutableBytes { bytes in
        // Lifetime: `lent` stays as it is until the transfer has left the multi. libcurl only reads it.
        _ = ccurl_set_pointer(easy, CURLOPT_POSTFIELDS, bytes.baseAddress)
      }
      slot.segments.removeAll(keepingCapacity: true)
      return
    }
    _ = ccurl_set_pointer(easy, CURLOPT_POSTFIELDS, nil)
    let buffer = slot.bodySize > Limits.largeUpload ? Limits.largeUploadBuffer : Limits.upstreamBuffer
    if slot.uploadBuffer != buffer {
      _ = ccurl_set_long(easy, CURLOPT_UPLOAD_BUFFERSIZE, buffer)
      slot.uploadBuffer = buffer
    }
  }
}
