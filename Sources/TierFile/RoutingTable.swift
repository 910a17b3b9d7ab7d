package import Policy

/// What a configuration comes to, as `synaxis check` prints it: tiers, providers, models, limits. Secrets are
/// counted, never shown.
package struct RoutingTable {
  package let text: String
  package init(_ configuration: Configuration) { text = "" }
}
