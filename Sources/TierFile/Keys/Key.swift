package import Base

/// One key of the tier file: what may stand under it, within which bounds, what holds without it, and what it means.
///
/// The reader takes kinds and bounds from here, and so do `synaxis schema`, the man page and the reference: a key is
/// described in one place.
package struct Key: Sendable {
  package enum Kind: Sendable {
    case flag
    case whole(ClosedRange<Int>)
    /// A count from 1 on.
    case quantity
    /// In bytes: from `least` to 2^`power`, and less where addresses have 32 bits (`sizes`).
    case size(least: Int, power: Int)
    case number(ClosedRange<Double>)
    case duration(ClosedRange<Interval>)
    /// One of these words.
    case choice([String])
    /// One of these words, or another.
    case word([String])
    case text
    /// One text, or a list of them.
    case texts
    /// A map with the keys of a section.
    case map(SectionName)
    /// A list of such maps, or of what else its elements may be.
    case list(SectionName, or: Plain)
    /// A map of free names to such maps, or to what else may stand under them.
    case names(SectionName?, or: Plain)
    /// Whatever YAML can say.
    case anything
  }

  package enum Plain: Sendable { case nothing, text, texts }

  package let name: String
  /// The first that what stands there can be decides.
  package let kinds: [Kind]
  /// What holds where it is missing, as the file would say it; nil: nothing, or it depends.
  package let standard: String?
  /// One sentence or two, for people.
  package let about: String

  init(_ name: String, _ kinds: Kind..., standard: String? = nil, about: String) {
    self.name = name
    self.kinds = kinds
    self.standard = standard
    self.about = about
  }

  /// The sizes that a setting may have here: to 2^`power` bytes, and to 1 GiB where addresses have 32 bits.
  package static func sizes(least: Int, power: Int) -> ClosedRange<Int> {
    least...(1 << min(power, Int.bitWidth - 2))
  }
}

/// The maps of the tier file whose keys are known.
package enum SectionName: CaseIterable, Sendable {
  case root, listener, listenerTLS, admin, client, limits, timeouts, cache, affinity, log, cors
  case provider, tls, batch, cost, spend, model, edit, alias
  /// Of an appsettings.json: not told to anybody who writes a tier file.
  case canonicalModel

  /// As definitions and headings name it.
  package var name: String {
    switch self {
    case .root: "file"
    case .listener: "listener"
    case .listenerTLS: "listener_tls"
    case .admin: "admin"
    case .client: "client"
    case .limits: "limits"
    case .timeouts: "timeouts"
    case .cache: "cache"
    case .affinity: "affinity"
    case .log: "log"
    case .cors: "cors"
    case .provider: "provider"
    case .tls: "tls"
    case .batch: "batch"
    case .cost: "cost"
    case .spend: "spend"
    case .model: "model"
    case .edit: "edit"
    case .alias: "alias"
    case .canonicalModel: "CanonicalModels"
    }
  }

  /// Those that a tier file of ours has.
  package static let own = allCases.filter { $0 != .canonicalModel }

  /// Asking for a key that is not in the table is a fault of ours.
  subscript(name: String) -> Key {
    guard let key = keys.first(where: { $0.name == name }) else { preconditionFailure("no such key") }
    return key
  }
}
