internal import Base
internal import Exchange
package import Policy
package import Wire

/// Who may call: what the `clients`, `cors`, `hosts` and `allow_anonymous` of a configuration say about a
/// request's head. Nothing here needs the body, so that a refused caller never makes us hold one.
package final class Gate {
  /// From where a listener can be reached. What an inherited one is bound to decides, not who opened it.
  package enum Reach: Equatable, Sendable {
    case unix
    /// 127.0.0.0/8 and ::1: also any web page in a browser of this machine can reach it.
    case loopback
    case network
  }

  package let accounts: [ClientAccount]
  /// The SHA-256 of each account's key.
  private let digests: [SHA256.Digest]
  private let origins: [String]
  private let hosts: [String]
  private let allowsAnonymous: Bool

  /// A reload keeps what each client of the same name has spent.
  package init(_ configuration: Configuration, keeping old: Gate? = nil) {
    accounts = configuration.clients.map { client in
      guard let known = old?.accounts.first(where: { $0.name == client.name }) else {
        return ClientAccount(client)
      }
      known.adopt(client)
      return known
    }
    digests = configuration.clients.map { Self.digest(of: $0.key) }
    origins = configuration.corsOrigins
    hosts = configuration.hosts
    allowsAnonymous = configuration.allowAnonymous
  }

  private static func digest(of key: Client.Key) -> SHA256.Digest {
    switch key {
    case .plain(let secret):
      let bytes = Array(secret.exposed.utf8)
      return SHA256.digest(of: bytes.span)
    case .sha256(let bytes):
      var digest = SHA256.Digest(repeating: 0)
      for i in 0..<min(32, bytes.count) { digest[i] = bytes[i] }
      return digest
    }
  }

  /// Looks at a head:
  /// 1. on a loopback listener the Host is one that public DNS cannot hold, or a configured one (DNS rebinding);
  /// 2. every Origin is a configured one (a web page must not spend the user's quota), or on admin pages our own:
  ///    our page for people has buttons;
  /// 3. a preflight needs nothing more: a browser sends it without the key;
  /// 4. neither do pages about ourselves: health is free, metrics and admin pages have rules of their own;
  /// 5. where clients are listed their key is needed, else the listener must be a local one, unless anonymous
  ///    callers are allowed anywhere;
  /// 6. a body that must be read is not compressed.
  package func examine(_ head: borrowing RequestHead, in bytes: Span<UInt8>, reach: Reach) -> AccessDecision {
    var access = AccessDecision()
    access.variesByOrigin = !origins.isEmpty
    if reach == .loopback, !head.host.isEmpty, !isKnown(host: bytes.extracting(head.host)) {  // 1
      access.refusal = .hostNotAllowed
      return access
    }
    let target = RequestTarget(path: bytes.extracting(head.path))
    access.target = target
    if head.value(of: .origin) != nil {  // 2
      for field in head.fields where field.known == .origin {
        if case .page(let page, _) = target, page.audience == .operators,
          Self.isOwn(bytes.extracting(field.value), bytes.extracting(head.host))
        {
          continue
        }
        guard let origin = origins.first(where: { bytes.extracting(field.value).equalsIgnoringCase($0) })
        else {
          access.origin = nil
          access.refusal = .originNotAllowed
          return access
        }
        access.origin = origin
      }
      if head.method == .options, head.value(of: .accessControlRequestMethod) != nil {  // 3
        access.isPreflight = true
        return access
      }
    }
    switch target {
    case .page(let page, _) where page.audience != .clients: return access  // 4
    case .proxy(let endpoint):
      access.isExchange = head.method == .post
      if endpoint.upgraded != nil, Self.upgrades(head, in: bytes) {
        access.isExchange = true
        access.isPassedOn = true
        access.isUpgrade = true
      }
    case .stored: access.isExchange = true
    case .provider:
      access.isExchange = true
      access.isPassedOn = true
    case .page, .none: break
    }
    access.account = account(head, in: bytes)  // 5
    if access.account == nil, !allowsAnonymous, !accounts.isEmpty || reach == .network {
      access.refusal = .invalidKey
    } else if access.isExchange, !access.isPassedOn, Self.isEncoded(head, in: bytes) {  // 6
      access.refusal = .unsupportedEncoding
    }
    return access
  }

  /// The body has a coding that changes its bytes (RFC 9110 §8.4).
  private static func isEncoded(_ head: borrowing RequestHead, in bytes: Span<UInt8>) -> Bool {
    for field in head.fields where field.known == .contentEncoding {
      let value = bytes.extracting(field.value)
      if value.count > 0, !value.equalsIgnoringCase("identity") { return true }
    }
    return false
  }

  // MARK: - Keys

  /// Whose key the head carries: `Authorization: Bearer`, `x-api-key` (Anthropic) or `api-key` (Azure).
  private func account(_ head: borrowing RequestHead, in bytes: Span<UInt8>) -> ClientAccount? {
    if accounts.isEmpty { return nil }
    if let value = head.value(of: .authorization) {
      let value = bytes.extracting(value)
      // RFC 6750 §2.1, the scheme in any case (RFC 9110 §11.1).
      if value.hasPrefixIgnoringCase("bearer ") {
        let token = value.extracting(value.trimmed(7..<value.count))
        if let found = account(key: token) { return found }
      }
    }
    if let value = head.value(of: .xAPIKey), let found = account(key: bytes.extracting(value)) {
      return found
    }
    if let value = head.value(of: .apiKey) { return account(key: bytes.extracting(value)) }
    return accountByProtocol(head, in: bytes)
  }

  /// As browsers show a key that open a WebSocket, which can set no header.
  private func accountByProtocol(_ head: borrowing RequestHead, in bytes: Span<UInt8>) -> ClientAccount? {
    guard let offered = head.value(of: "sec-websocket-protocol", in: bytes) else { return nil }
    var found: ClientAccount?
    bytes.forEachListElement(offered) { element in
      let name = bytes.extracting(element)
      guard name.hasPrefix(WebSocket.keyProtocol) else { return }
      found = account(key: name.extracting(WebSocket.keyProtocol.utf8CodeUnitCount..<name.count)) ?? found
    }
    return found
  }

  /// Asks for WebSocket (RFC 6455 §4.1).
  private static func upgrades(_ head: borrowing RequestHead, in bytes: Span<UInt8>) -> Bool {
    guard head.method == .get, head.minorVersion > 0, head.framing == .none,
      let upgrade = head.value(of: .upgrade)
    else { return false }
    return bytes.extracting(upgrade).equalsIgnoringCase("websocket")
  }

  /// Every account is compared, and every byte of each: the time tells neither how much of a key was right nor
  /// how long one is.
  private func account(key: Span<UInt8>) -> ClientAccount? {
    let digest = SHA256.digest(of: key)
    var found: Int?
    for index in digests.indices where Self.isSame(digests[index], digest) { found = index }
    return found.map { accounts[$0] }
  }

  private static func isSame(_ a: SHA256.Digest, _ b: SHA256.Digest) -> Bool {
    var difference: UInt8 = 0
    for i in 0..<32 { difference |= a[i] ^ b[i] }
    return difference == 0
  }

  /// The place of an account in the configuration's list, which a reload may have changed.
  package func index(of account: ClientAccount) -> Int? { accounts.firstIndex { $0 === account } }

  // MARK: - Hosts

  /// Whether a page that this host served asks. Another page on this machine has another port in its origin.
  private static func isOwn(_ origin: Span<UInt8>, _ host: Span<UInt8>) -> Bool {
    let start = origin.hasPrefix("https://") ? 8 : origin.hasPrefix("http://") ? 7 : 0
    return start > 0 && !host.isEmpty && origin.extracting(start..<origin.count).equalsIgnoringCase(host)
  }

  private func isKnown(host: Span<UInt8>) -> Bool {
    if HostName.isLocal(host) { return true }
    let name = HostName.withoutPort(host)
    for known in hosts where host.equalsIgnoringCase(known) || host.extracting(name).equalsIgnoringCase(known)
    {
      return true
    }
    return false
  }
}
