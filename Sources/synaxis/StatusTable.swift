/// The table that `synaxis status` prints.
enum StatusTable {
  static func text(_ report: StatusReport, coloured: Bool) -> String {
    let heads = ["PROVIDER", "STATE", "TIER", "LATENCY", "SUCCESS", "IN FLIGHT", "QUOTA LEFT", "WHY"]
    var lines = [heads]
    for row in report.rows {
      lines.append([
        row.name, row.state, row.tier, row.latency, row.successRate, row.inFlight, row.quota, row.why,
      ])
    }
    var widths = Array(repeating: 0, count: heads.count)
    for line in lines {
      for (column, cell) in line.enumerated() { widths[column] = max(widths[column], cell.count) }
    }
    var text = ""
    for (number, line) in lines.enumerated() {
      var shown = ""
      for (column, cell) in line.enumerated() {
        let room = String(repeating: " ", count: widths[column] - cell.count)
        var cell = cell
        if coloured, number > 0, column == 1 { cell = paint(cell) }
        if coloured, number == 0 { cell = "\u{1b}[2m\(cell)\u{1b}[0m" }
        // Numbers stand at the right of their column.
        shown += (2...5).contains(column) ? room + cell : cell + room
        if column < heads.count - 1 { shown += "  " }
      }
      while shown.hasSuffix(" ") { shown.removeLast() }
      text += shown + "\n"
    }
    let usable = report.rows.filter { $0.state == "online" }.count
    let enabled = report.rows.filter { $0.state != "disabled" }.count
    text += "\n\(report.overall): \(usable) of \(enabled) providers online, \(report.timestamp)"
    if !report.version.isEmpty { text += ", synaxis \(report.version)" }
    if let cache = report.cache { text += "\n\(cache)" }
    if let savings = report.savings { text += "\n\(savings)" }
    return text + "\n"
  }

  private static func paint(_ state: String) -> String {
    let colour =
      switch state {
      case "online": "32"
      case "cooling": "33"
      case "offline": "31"
      default: "2"
      }
    return "\u{1b}[\(colour)m\(state)\u{1b}[0m"
  }
}
