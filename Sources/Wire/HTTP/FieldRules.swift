internal import Base

/// Which header fields cross from one side to the other (RFC 9110 §7.6.1 for the hop-by-hop ones).
package enum FieldRules {
  /// Whether a provider's field may reach the client. `field` is what its name is known as.
  ///
  /// Everything crosses but: 1. what belongs to one hop, 2. what synaxis says itself, 3. what speaks about the
  /// provider's host or its cookies, 4. what a proxy in front of synaxis would obey (`X-Accel-Redirect`).
  static func crossesToClient(_ field: KnownField, _ name: Span<UInt8>) -> Bool {
    switch field {
    case .connection, .keepAlive, .te, .trailer, .transferEncoding, .upgrade: false  // 1
    case .contentLength, .cacheControl, .date, .requestID, .provider, .cache: false  // 2
    case .accessControlRequestMethod, .accessControlRequestHeaders, .server, .setCookie, .via: false  // 3
    case .host, .authorization, .contentType, .expect, .accept, .acceptEncoding, .cookie, .origin, .referer,
      .userAgent, .apiKey, .xAPIKey, .idempotencyKey, .contentEncoding, .traceparent:
      true
    case .other: otherCrossesToClient(name)
    }
  }

  /// The same of names that are no known field's.
  private static func otherCrossesToClient(_ name: Span<UInt8>) -> Bool {
    if name.isEmpty || isHopByHop(name) { return false }  // 1
    switch name[0].asciiLowercased {
    case UInt8(ascii: "a"):
      return
        !(name.equalsIgnoringCase("alt-svc") || name.equalsIgnoringCase("age")  // 3, 2
        || name.hasPrefixIgnoringCase("access-control-"))
    case UInt8(ascii: "c"):
      return
        !(name.equalsIgnoringCase("content-security-policy")  // 3
        || name.equalsIgnoringCase("clear-site-data"))
    case UInt8(ascii: "e"):
      return !(name.equalsIgnoringCase("expires") || name.equalsIgnoringCase("expect-ct"))
    case UInt8(ascii: "n"):
      return !name.equalsIgnoringCase("nel")  // 3
    case UInt8(ascii: "p"):
      return !(name.equalsIgnoringCase("pragma") || name.equalsIgnoringCase("public-key-pins"))
    case UInt8(ascii: "r"):
      return
        !(name.equalsIgnoringCase("report-to") || name.equalsIgnoringCase("reporting-endpoints")  // 3
        || name.equalsIgnoringCase("refresh"))
    case UInt8(ascii: "s"):
      return
        !(name.equalsIgnoringCase("set-cookie2") || name.equalsIgnoringCase("server-timing")  // 3
        || name.equalsIgnoringCase("strict-transport-security"))
    case UInt8(ascii: "w"):
      return !name.equalsIgnoringCase("www-authenticate")  // 3: a challenge to us, not to the client
    case UInt8(ascii: "x"):
      return
        !(name.hasPrefixIgnoringCase("x-synaxis-")  // 2
        || name.hasPrefixIgnoringCase("x-accel-") || name.equalsIgnoringCase("x-sendfile"))  // 4
    default:
      return true
    }
  }

  /// Whether a client's field may reach a provider. `field` is what its name is known as.
  ///
  /// Everything crosses but: 1. what belongs to one hop, or to the body as it was framed and encoded, 2. what synaxis
  /// is told itself, 3. credentials and cookies: they are for us, 4. what a browser says of the page that
  /// asks, 5. what proxies on the way have added about the client and its network.
  static func crossesToProvider(_ field: KnownField, _ name: Span<UInt8>) -> Bool {
    switch field {
    case .connection, .keepAlive, .te, .trailer, .transferEncoding, .upgrade: false  // 1
    case .contentLength, .contentEncoding, .expect: false  // 1
    case .host, .acceptEncoding, .provider, .cache: false  // 2
    case .authorization, .apiKey, .xAPIKey, .cookie: false  // 3
    case .origin, .referer, .accessControlRequestMethod, .accessControlRequestHeaders: false  // 4
    case .via: false  // 5
    case .contentType, .accept, .cacheControl, .userAgent, .requestID, .idempotencyKey, .traceparent, .date,
      .server, .setCookie:
      true
    case .other: otherCrossesToProvider(name)
    }
  }

  /// The same of names that are no known field's.
  private static func otherCrossesToProvider(_ name: Span<UInt8>) -> Bool {
    if name.isEmpty || isHopByHop(name) { return false }  // 1
    switch name[0].asciiLowercased {
    case UInt8(ascii: "a"):
      return !name.hasPrefixIgnoringCase("access-control-")  // 4
    case UInt8(ascii: "c"):
      return
        !(name.equalsIgnoringCase("cookie2")  // 3
        || name.hasPrefixIgnoringCase("cf-") || name.hasPrefixIgnoringCase("cdn-")
        || name.equalsIgnoringCase("client-ip"))  // 5
    case UInt8(ascii: "f"):
      return
        !(name.equalsIgnoringCase("forwarded") || name.hasPrefixIgnoringCase("fly-")  // 5
        || name.equalsIgnoringCase("fastly-client-ip") || name.equalsIgnoringCase("from"))
    case UInt8(ascii: "r"):
      return !name.equalsIgnoringCase("remote-user")  // 5
    case UInt8(ascii: "s"):
      return !name.hasPrefixIgnoringCase("sec-")  // 4
    case UInt8(ascii: "t"):
      return !name.equalsIgnoringCase("true-client-ip")  // 5
    case UInt8(ascii: "u"):
      return !name.equalsIgnoringCase("upgrade-insecure-requests")  // 4
    case UInt8(ascii: "x"):
      return !staysOfExtensions(name)
    default:
      return true
    }
  }

  /// The same for names that begin with an X. Names that end so are credentials, whoever's they are.
  private static func staysOfExtensions(_ name: Span<UInt8>) -> Bool {
    name.hasPrefixIgnoringCase("x-synaxis-")  // 2
      || name.hasSuffixIgnoringCase("-api-key") || name.hasSuffixIgnoringCase("-token")  // 3
      || name.hasPrefixIgnoringCase("x-auth") || name.hasPrefixIgnoringCase("x-forwarded-")  // 3, 5
      || name.equalsIgnoringCase("x-forwarded") || name.equalsIgnoringCase("x-real-ip")
      || name.hasSuffixIgnoringCase("-client-ip") || name.hasPrefixIgnoringCase("x-original-")
      || name.hasPrefixIgnoringCase("x-envoy-") || name.hasPrefixIgnoringCase("x-remote-")
      || name.hasPrefixIgnoringCase("x-ms-client-principal") || name.hasPrefixIgnoringCase("x-ms-token-")
      || name.hasPrefixIgnoringCase("x-amzn-oidc-") || name.equalsIgnoringCase("x-goog-iap-jwt-assertion")
  }

  /// Whether a field that crosses to a provider speaks of its one request or of the program that sent it, so that
  /// requests which differ only in it are equal: traces, names of requests, what OpenAI's clients say of themselves.
  package static func isOfOneRequest(_ name: Span<UInt8>) -> Bool {
    switch name.count {
    case 7: name.equalsIgnoringCase("baggage")
    case 10: name.equalsIgnoringCase("user-agent") || name.equalsIgnoringCase("tracestate")
    case 11: name.equalsIgnoringCase("traceparent")
    case 12: name.equalsIgnoringCase("x-request-id")
    case 19: name.equalsIgnoringCase("x-client-request-id")
    default: name.hasPrefixIgnoringCase("x-stainless-")
    }
  }

  /// Fields that belong to one connection whether or not Connection names them, and are no `KnownField`.
  private static func isHopByHop(_ name: Span<UInt8>) -> Bool {
    switch name.count {
    case 8: name.equalsIgnoringCase("trailers")
    case 14: name.equalsIgnoringCase("http2-settings")
    default: name.hasPrefixIgnoringCase("proxy-")
    }
  }

  /// Whether a Connection field among `fields` names the field with that name.
  static func isNamedByConnection(
    _ name: Range<Int>, _ fields: borrowing [HeaderField], in bytes: Span<UInt8>
  )
    -> Bool
  {
    var isNamed = false
    for i in fields.indices where fields[i].known == .connection {
      bytes.forEachListElement(fields[i].value) { option in
        if bytes.extracting(option).equalsIgnoringCase(bytes.extracting(name)) { isNamed = true }
      }
    }
    return isNamed
  }
}

extension RequestHead {
  /// Whether a field may cross to a provider: by its name, and not named by a Connection field.
  package func crosses(_ field: HeaderField, in bytes: Span<UInt8>) -> Bool {
    FieldRules.crossesToProvider(field.known, bytes.extracting(field.name))
      && !(has(.connection) && FieldRules.isNamedByConnection(field.name, fields, in: bytes))
  }
}
