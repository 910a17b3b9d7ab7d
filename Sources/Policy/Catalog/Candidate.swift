/// The dense number of a candidate in its catalog. Means nothing in another catalog.
package struct CandidateID: Hashable, Comparable, Sendable {
  package let index: Int
  package init(_ index: Int) { self.index = index }
  package static func < (a: CandidateID, b: CandidateID) -> Bool { a.index < b.index }
}

/// A provider plus the model name it uses.
///
/// A provider's `"*"` is one candidate for every name that it passes on (`upstreamName` empty): its health is
/// the provider's, and names that the provider does not have are remembered one by one in the health store.
package struct Candidate: Sendable {
  package let id: CandidateID
  /// Index in `Catalog.providers`.
  package let provider: Int
  /// Our name of the model, `"*"` for the wildcard.
  package let name: String
  /// The provider's name of the model; empty for the wildcard.
  package let upstreamName: [UInt8]
  /// `upstreamName` as a JSON string with its quotes, ready to be spliced; empty for the wildcard.
  package let upstreamJSON: [UInt8]
  /// Lower is tried first.
  package let tier: Int
  /// What candidates are compared by, USD per million tokens: 0 where free, infinite where not told.
  package let price: Double
  package let cost: Cost?
  package let isFree: Bool
  /// nil: not told.
  package let prices: Prices?
  /// Context window in tokens.
  package let context: Int?
  package let caches: Bool?
  package let coalesces: Bool?

  package var isWildcard: Bool { upstreamName.isEmpty }

  init(id: CandidateID, provider: Provider, at index: Int, model: Model?) {
    self.id = id
    self.provider = index
    name = model?.name ?? "*"
    upstreamName = model.map { Array($0.upstreamName.utf8) } ?? []
    upstreamJSON = model.map { Self.json($0.upstreamName) } ?? []
    tier = provider.tier
    cost = model?.cost ?? provider.cost
    isFree = provider.free
    prices = cost.map { Prices($0) }
    price = provider.free ? 0 : cost?.blended ?? .infinity
    context = model?.context ?? provider.context
    caches = model?.caches
    coalesces = model?.coalesces
  }

  /// A text as a JSON string (RFC 8259 §7).
  private static func json(_ text: String) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    var out: [UInt8] = [UInt8(ascii: "\"")]
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        out.append(UInt8(ascii: "\\"))
        out.append(byte)
      case 0..<32:
        out.append(contentsOf: Array("\\u00".utf8))
        out.append(digits[Int(byte >> 4)])
        out.append(digits[Int(byte & 15)])
      default: out.append(byte)
      }
    }
    out.append(UInt8(ascii: "\""))
    return out
  }
}
