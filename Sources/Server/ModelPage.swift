internal import Base
internal import Policy
internal import Wire

/// `GET /v1/models` and `/v1/models/{id}`: OpenAI's shape plus `provider` and `tier`.
enum ModelPage {
  static func list(_ catalog: Catalog) -> [UInt8] {
    var out = ByteBuffer()
    out.append(#"{"object":"list","data":["#)
    var isFirst = true
    for model in catalog.modelList() {
      if !isFirst { out.append(",") }
      isFirst = false
      write(model, into: &out)
    }
    out.append("]}")
    return out.withBytes { $0.withUnsafeBufferPointer { Array($0) } }
  }

  /// One model; false where nobody has that id.
  static func one(_ id: Span<UInt8>, of catalog: Catalog, into out: inout ByteBuffer) -> Bool {
    guard let model = catalog.listedModel(id) else { return false }
    write(model, into: &out)
    return true
  }

  private static func write(_ model: ListedModel, into out: inout ByteBuffer) {
    out.append(#"{"id":"#)
    out.append(jsonString: model.id)
    // OpenAI's clients want a number here; nobody knows when a provider made the model.
    out.append(#","object":"model","created":0,"owned_by":"#)
    out.append(jsonString: model.provider)
    out.append(#","provider":"#)
    out.append(jsonString: model.provider)
    out.append(#","tier":"#)
    out.append(decimal: model.tier)
    if let context = model.context {
      out.append(#","context_window":"#)
      out.append(decimal: context)
    }
    out.append("}")
  }
}
