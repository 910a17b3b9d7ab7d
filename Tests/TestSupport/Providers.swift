internal import Base
package import Policy

/// A provider that serves `m`, with one key, unless changed.
package func provider(_ name: String, tier: Int = 0, _ change: (inout Provider) -> Void = { _ in })
  -> Provider
{
  var provider = Provider(name: name, type: "openai", endpoint: "http://\(name)/v1")
  provider.tier = tier
  provider.keys = [Secret("key-of-\(name)")]
  provider.models = [Model(name: "m", upstreamName: "m")]
  change(&provider)
  return provider
}
