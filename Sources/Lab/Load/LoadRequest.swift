internal import Base
internal import Wire

/// The bytes of the request that a load run repeats, with a number in the prompt that makes one differ from
/// another.
struct LoadRequest: ~Copyable {
  private(set) var bytes = ByteBuffer()
  private var serial = 0..<0
  private var count: UInt64 = 0
  private let distinct: UInt64

  init(_ options: LoadOptions) {
    distinct = options.distinct.map { UInt64($0) } ?? .max
    var prompt = ByteBuffer()
    var body = ByteBuffer()
    let isChat = options.path.hasSuffix("/chat/completions")
    let isMessages = options.path.hasSuffix("/messages")
    body.append("{\"model\":")
    body.append(jsonString: options.model ?? LoadOptions.usualModel)
    if isMessages { body.append(",\"max_tokens\":1024") }
    if options.stream { body.append(",\"stream\":true") }
    if isChat || isMessages {
      body.append(",\"messages\":[{\"role\":\"user\",\"content\":\"")
    } else if options.path.hasSuffix("/completions") {
      body.append(",\"prompt\":\"")
    } else {
      // As OpenAI's clients ask.
      if options.path.hasSuffix("/embeddings") {
        body.append(",\"encoding_format\":\"base64\",\"dimensions\":1536")
      }
      body.append(",\"input\":\"")
    }
    let start = body.count
    // Sixteen digits, then the rest of the prompt.
    for _ in 0..<16 { prompt.append("0") }
    while prompt.count < options.bodyBytes { prompt.append(prompt.count % 8 == 0 ? " " : "x") }
    prompt.withBytes { body.append($0) }
    body.append(isChat || isMessages ? "\"}]}" : "\"}")

    bytes.append("POST ")
    bytes.append(options.path)
    bytes.append(
      headTo: options.instance, agent: "synaxis-bench",
      accept: options.stream ? "text/event-stream" : "application/json", key: options.key, length: body.count)
    serial = bytes.count + start..<bytes.count + start + 16
    body.withBytes { bytes.append($0) }
  }

  /// Makes the bytes those of the next request. One that is half sent may go on with the new number: its length
  /// and its form are the same.
  mutating func advance() {
    count += 1
    var rest = count % distinct
    let serial = serial
    bytes.withMutableBytes { bytes in
      for index in serial.reversed() {
        bytes[index] = UInt8(48 + rest % 10)
        rest /= 10
      }
    }
  }
}
