internal import Base
internal import Policy

/// `synaxis check --route MODEL`: in which order a model's candidates are tried, and why.
enum RouteReport {
  static func print(_ model: String, _ configuration: Configuration) -> Int32 {
    let catalog = Catalog(configuration)
    let health = HealthStore(catalog, seed: 1)
    let name = Array(model.utf8)
    guard let rows = health.explain(name.span, now: Instant(nanoseconds: 1)) else {
      let nearest = catalog.nearest(to: name.span)
      let hint = nearest.isEmpty ? "" : "; did you mean \(nearest.joined(separator: ", "))?"
      Console.complain("synaxis: no provider serves `\(model)`\(hint)\n")
      return ExitCode.config
    }
    var text = ""
    for (index, row) in rows.enumerated() {
      text += "\(index + 1). \(row.provider): tier \(row.tier)"
      if row.upstreamName != model, row.upstreamName != "*" { text += ", as \(row.upstreamName)" }
      if let price = row.price {
        text += price == 0 ? ", free" : ", \(Money(dollars: price).text) USD per million tokens"
      }
      if let context = row.context { text += ", context \(context)" }
      text += "\n"
    }
    text +=
      "Within a tier the faster of two picked at random goes first; without samples all count as fast.\n"
    Console.say(text)
    return ExitCode.ok
  }
}
