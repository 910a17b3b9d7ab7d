internal import Base
package import Wire

/// Reads a request's body as far as routing needs it. Holds the probe's memory between requests.
///
/// In one go (`read`), or with pauses: `begin`, then `goOn` until it has the facts.
package struct RequestReader: Sendable {
  package private(set) var probe: JSONProbe
  /// What conversations and stored responses are known by is hashed with; nil: nobody asks for it.
  let hashKey: KeyedHash.Key?
  let hearsOpenings: Bool
  /// The form that is being read; nil: JSON is.
  private var form: MultipartReading?
  private var names = RecentNames()

  /// - Parameter hearsOpenings: whether conversations are to be known.
  package init(key: KeyedHash.Key? = nil, hearsOpenings: Bool = false) {
    hashKey = key
    self.hearsOpenings = hearsOpenings
    probe = JSONProbe(openingKey: hearsOpenings ? key : nil)
  }

  /// - Parameter contentType: the field's value; empty where it was not sent, which is read as JSON, since
  ///   curl users forget it and OpenAI takes it.
  package mutating func read(_ body: Span<UInt8>, contentType: Span<UInt8>) throws(LocalError) -> RequestFacts
  {
    try begin(contentType: contentType)
    while true {
      if let facts = try goOn(body, upTo: .max) { return facts }
    }
  }

  /// Forgets the body before.
  package mutating func begin(contentType: Span<UInt8>) throws(LocalError) {
    form = nil
    probe.begin()
    guard MultipartForm.isForm(contentType) else { return }
    do throws(MultipartFault) {
      form = try MultipartReading(contentType)
    } catch {
      throw .invalidField("body", reason: error.reason)
    }
  }

  /// Goes on up to a place soon behind `limit`; nil: there is more to read. The body is the same in all calls.
  package mutating func goOn(_ body: Span<UInt8>, upTo limit: Int) throws(LocalError) -> RequestFacts? {
    if form != nil {
      do throws(MultipartFault) {
        if try form?.goOn(body, upTo: limit) == false { return nil }
      } catch {
        throw .invalidField("body", reason: error.reason)
      }
      if let form { return try facts(of: form.form, body) }
    }
    if body.isEmpty { throw .invalidJSON(offset: 0, reason: "the body is empty") }
    do throws(JSONFault) {
      if try !probe.goOn(body, upTo: limit) { return nil }
    } catch {
      throw .invalidJSON(offset: error.offset, reason: error.reason.text)
    }
    return try jsonFacts(body)
  }

  private mutating func jsonFacts(_ body: Span<UInt8>) throws(LocalError) -> RequestFacts {
    switch probe.root.kind {
    case .object: break
    case .array, .string, .number, .bool, .null:
      throw .invalidJSON(offset: probe.root.value.lowerBound, reason: "the body is not a JSON object")
    }
    let members = RoutingMembers(probe.members, in: body)
    guard let model = members.model else { throw .missingField("model") }
    // Two members of that name: providers differ in which one they take, so we could route one model's
    // request and be billed for the other.
    if members.models > 1 { throw .invalidField("model", reason: "it stands twice in the body") }
    if members.streams > 1 { throw .invalidField("stream", reason: "it stands twice in the body") }
    let name = try name(probe.members[model], in: body)
    var facts = RequestFacts(
      form: .json, modelRange: probe.members[model].value, model: name, wantsStream: false,
      estimatedTokens: Quantity(body.count / 4))
    if let place = members.stream {
      let stream = probe.members[place]
      switch stream.kind {
      case .bool: facts.wantsStream = body.jsonBool(stream) == true
      case .null: break
      case .object, .array, .string, .number:
        throw .invalidField("stream", reason: "it is neither true nor false")
      }
    }
    if let temperature = members.temperature, members.temperatures == 1 {
      facts.temperature = body.jsonDouble(probe.members[temperature])
    }
    if let n = members.n, probe.members[n].kind == .number {
      facts.wantsOneChoice = body.jsonQuantity(probe.members[n]) == 1
    }
    if let allowed = members.allowed, let tokens = body.jsonQuantity(probe.members[allowed]) {
      facts.answerTokens = min(tokens, Limits.answerTokens)
      facts.estimatedTokens += facts.answerTokens
    }
    return facts
  }

  private mutating func facts(of form: MultipartForm, _ body: Span<UInt8>) throws(LocalError) -> RequestFacts
  {
    guard let model = form.model, !model.isEmpty else { throw .missingField("model") }
    if model.count > Limits.modelName { throw .invalidField("model", reason: "it is too long") }
    let wantsStream = form.stream.map { body.extracting($0).equals("true") } ?? false
    return RequestFacts(
      form: .multipart, modelRange: model, model: names.array(of: body.extracting(model)),
      wantsStream: wantsStream, estimatedTokens: 0)
  }

  /// The text of a string that is not empty. Names without escapes are taken as they stand.
  private mutating func name(_ member: JSONMember, in body: Span<UInt8>) throws(LocalError) -> [UInt8] {
    if member.value.count > Limits.modelField { throw .invalidField("model", reason: "it is too long") }
    if member.kind == .string {
      let text = body.extracting(member.value.lowerBound + 1..<member.value.upperBound - 1)
      if text.isEmpty { throw .missingField("model") }
      if text.firstIndex(of: UInt8(ascii: "\\")) == nil { return names.array(of: text) }
    }
    var name = ByteBuffer()
    guard body.jsonString(member, into: &name) else {
      throw .invalidField("model", reason: "it is not a string")
    }
    if name.isEmpty { throw .missingField("model") }
    return name.withBytes { names.array(of: $0) }
  }
}

/// Where the members stand that decide about a request, found in one walk: of each name the last, as Python, Go and
/// JavaScript have it.
///
/// Some are counted, written in any case: Go's decoder takes `Model` for `model`, and the last of them (encoding/json,
/// Unmarshal).
private struct RoutingMembers {
  var model: Int?
  var models = 0
  var stream: Int?
  var streams = 0
  var temperature: Int?
  var temperatures = 0
  var n: Int?
  /// What it allows the answer, in tokens, in the order in which the names count.
  var allowed: Int? { maxCompletionTokens ?? maxTokens ?? maxOutputTokens }
  private var maxCompletionTokens: Int?
  private var maxTokens: Int?
  private var maxOutputTokens: Int?

  @inline(__always)
  init(_ members: borrowing [JSONMember], in body: Span<UInt8>) {
    for i in members.indices {
      let key = members[i].key
      if body.jsonFoldsTo(key, "model") {
        models += 1
        if body.jsonEquals(key, "model") { model = i }
      } else if body.jsonFoldsTo(key, "stream") {
        streams += 1
        if body.jsonEquals(key, "stream") { stream = i }
      } else if body.jsonFoldsTo(key, "temperature") {
        temperatures += 1
        if body.jsonEquals(key, "temperature") { temperature = i }
      } else if body.jsonEquals(key, "n") {
        n = i
      } else if body.jsonEquals(key, "max_completion_tokens") {
        maxCompletionTokens = i
      } else if body.jsonEquals(key, "max_tokens") {
        maxTokens = i
      } else if body.jsonEquals(key, "max_output_tokens") {
        maxOutputTokens = i
      }
    }
  }
}

extension JSONFault.Reason {
  package var text: StaticString {
    switch self {
    case .unexpectedEnd: "the text ends too early"
    case .unexpectedByte: "unexpected byte"
    case .trailingBytes: "bytes behind the value"
    case .badLiteral: "misspelt literal"
    case .badNumber: "malformed number"
    case .badEscape: "malformed escape in a string"
    case .controlCharacter: "control character in a string"
    case .badUTF8: "ill-formed UTF-8"
    case .tooDeep: "nested too deep"
    case .tooManyMembers: "too many members"
    }
  }
}

extension LocalError {
  /// A client's bytes that are no request (RFC 9112), with the status that the parser gives.
  package init(_ fault: WireFault) {
    switch fault.status {
    case 413: self = .requestTooLarge(limit: 0)
    case 414: self = .targetTooLong
    case 417: self = .expectationFailed
    case 431: self = .headTooLarge
    case 501: self = .notImplemented(fault.reason)
    case 505: self = .versionNotSupported
    default: self = .malformed(fault.reason)
    }
  }
}
