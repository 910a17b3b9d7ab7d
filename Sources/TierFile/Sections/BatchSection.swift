internal import Base
internal import Policy

extension Reader {
  /// `batch: {…}` of a provider, or `batch: true`.
  mutating func batch(in provider: Section) -> BatchSettings? {
    guard let node = provider["batch"] else { return nil }
    if case .scalar = node.content {
      return flag(node, provider.path("batch")) == true ? BatchSettings() : nil
    }
    guard let section = section(node, provider.path("batch"), .batch) else { return nil }
    if flag("enabled", in: section) == false { return nil }
    var settings = BatchSettings()
    if let t = duration("window", in: section) { settings.window = t }
    if let n = whole("size", in: section) { settings.size = n }
    return settings
  }
}
