package import Base
package import Wire

extension RequestReader {
  /// The conversation of the request that was just read, or nil where nothing tells. The first of these does:
  ///
  /// 1. `prompt_cache_key`, which clients send for the very purpose (OpenAI).
  /// 2. A session's name in a header: see `isSession`.
  /// 3. What all of the conversation's requests begin with: see `JSONProbe.opening`.
  ///
  /// Client and model are part of it. Only of what continues by sending again what was said.
  ///
  /// - Parameters:
  ///   - bytes: those that `head` was read from.
  ///   - client: its name in the configuration.
  package func conversation(
    of facts: RequestFacts, _ body: Span<UInt8>, at endpoint: Endpoint, _ head: borrowing RequestHead,
    _ bytes: Span<UInt8>, client: String?
  ) -> Fingerprint? {
    guard let key = hashKey, hearsOpenings, facts.form == .json else { return nil }
    switch endpoint.operation {
    case .chat, .textCompletion: break
    case .embeddings, .tokenCount, .moderation, .classification, .rerank, .images, .audio, .videos, .document:
      return nil
    }
    // What the provider keeps itself is where it was made.
    if response(continuedBy: body, at: endpoint) != nil { return nil }
    var hash = KeyedHash(key: key)
    if let key = probe.value(of: "prompt_cache_key", in: body)?.inner, !key.isEmpty {  // 1
      hash.absorb(1)
      hash.put(body.extracting(key))
    } else if let session = head.session(in: bytes) {  // 2
      hash.absorb(2)
      hash.put(bytes.extracting(session))
    } else if let opening = probe.opening {  // 3
      hash.absorb(3)
      hash.absorb(word: opening.high)
      hash.absorb(word: opening.low)
    } else {
      return nil
    }
    hash.put(facts.model.span)
    if var client { client.withUTF8 { hash.put($0.span) } }
    return hash.finish()
  }
}

extension RequestReader {
  /// The stored response that the request which was just read continues.
  package func response(continuedBy body: Span<UInt8>, at endpoint: Endpoint) -> Fingerprint? {
    guard endpoint == .responses, let name = probe.value(of: "previous_response_id", in: body)?.inner else {
      return nil
    }
    return name.isEmpty ? nil : fingerprint(ofResponse: body.extracting(name))
  }

  package func fingerprint(ofResponse name: Span<UInt8>) -> Fingerprint? {
    guard let key = hashKey else { return nil }
    var hash = KeyedHash(key: key)
    hash.absorb(4)
    hash.put(name)
    return hash.finish()
  }
}

extension KeyedHash {
  fileprivate mutating func put(_ text: Span<UInt8>) {
    absorb(count: text.count)
    absorb(text)
  }
}

extension RequestHead {
  /// The first field that names a session, where it says anything.
  fileprivate func session(in bytes: Span<UInt8>) -> Range<Int>? {
    for field in fields where field.known == .other && !field.value.isEmpty {
      if Self.isSession(bytes.extracting(field.name)) { return field.value }
    }
    return nil
  }

  /// Names of fields that agents and SDKs put a session's name into: opencode and others, Codex, xAI's.
  private static func isSession(_ name: Span<UInt8>) -> Bool {
    switch name.count {
    case 10: name.equalsIgnoringCase("session-id") || name.equalsIgnoringCase("session_id")
    case 12: name.equalsIgnoringCase("x-session-id")
    case 14: name.equalsIgnoringCase("x-grok-conv-id")
    case 18: name.equalsIgnoringCase("x-session-affinity")
    default: false
    }
  }
}
