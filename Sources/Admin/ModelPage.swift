package import Base
package import Policy
internal import Wire

/// `GET /v1/models` and `/v1/models/{id}`: OpenAI's shape plus `provider` and `tier`.
package enum ModelPage {
  /// - Parameter account: a client with a list of its own, which is all that it sees; nil for who may ask for all.
  package static func list(_ catalog: Catalog, for account: ClientAccount? = nil) -> [UInt8] {
    var out = ByteBuffer()
    out.append(#"{"object":"list","data":["#)
    var isFirst = true
    for model in account?.models.compactMap({ catalog.model(named: $0) }) ?? catalog.modelList() {
      if !isFirst { out.append(",") }
      isFirst = false
      write(model, into: &out)
    }
    out.append("]}")
    return out.withBytes { $0.array }
  }

  /// One model; false where nobody has that id, or this one may not ask for it.
  package static func one(
    _ id: Span<UInt8>, of catalog: Catalog, for account: ClientAccount?, into out: inout ByteBuffer
  ) -> Bool {
    var own: ListedModel?
    if let account, !account.models.isEmpty {
      guard account.mayUse(id, of: catalog) else { return false }
      own = catalog.model(named: id.text)
    }
    guard let model = catalog.listedModel(id) ?? own else { return false }
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
