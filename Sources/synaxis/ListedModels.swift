internal import Base
internal import Lab
internal import Transport
internal import Wire

/// What `bench` asks for where no model was named.
enum ListedModels {
  /// The first model that the target lists. Where it lists none, or cannot be asked, the mock's; the run then tells
  /// what is wrong.
  static func first(_ options: LoadOptions, peer: TLSPeer?) -> String {
    do throws(PageRequest.Fault) {
      let answer = try PageRequest(instance: options.instance, peer: peer).ask(
        "GET", options.modelsPath, token: options.key)
      if answer.status == 200, let model = answer.body.withBytes({ first(in: $0) }) { return model }
    } catch {}
    Console.complain(
      "\(options.modelsPath) lists no model: asking for `\(LoadOptions.usualModel)`; --model names another\n")
    return LoadOptions.usualModel
  }

  private static func first(in list: Span<UInt8>) -> String? {
    var probe = JSONProbe()
    do throws(JSONFault) { try probe.scan(list) } catch { return nil }
    guard let data = list.jsonMember("data", in: probe.root), data.kind == .array else { return nil }
    var cursor = JSONCursor(data)
    var name = ByteBuffer()
    guard let model = cursor.next(list), let id = list.jsonMember("id", in: model),
      list.jsonString(id, into: &name), !name.isEmpty
    else { return nil }
    return name.withBytes { $0.text }
  }
}
