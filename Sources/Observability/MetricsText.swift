package import Base
internal import Wire

/// Who asks for `/metrics` gets Prometheus' text format 0.0.4, or OpenMetrics 1.0 where that is accepted as gladly.
package enum MetricsFormat {
  case prometheus, openMetrics

  /// For the value of Accept.
  package init(accepting accept: Span<UInt8>) {
    let weight = accept.weight(ofMediaType: "application/openmetrics-text")
    self = weight > 0 && weight >= accept.weight(ofMediaType: "text/plain") ? .openMetrics : .prometheus
  }

  package var contentType: StaticString {
    switch self {
    case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
    case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
    }
  }
}

// Both formats: `name{label="value",…} number`, families headed by HELP and TYPE.
extension ByteBuffer {
  /// The suffix `_total` belongs to a counter's family in the one format, and to its samples in the other.
  package mutating func family(
    _ format: MetricsFormat, _ name: StaticString, _ type: StaticString, _ help: StaticString
  ) {
    append("# HELP ")
    append(family: name, format)
    append(" ")
    append(help)
    append("\n# TYPE ")
    append(family: name, format)
    append(" ")
    append(type)
    append("\n")
  }

  private mutating func append(family name: StaticString, _ format: MetricsFormat) {
    append(name)
    let suffix: StaticString = "_total"
    let stem = count - suffix.utf8CodeUnitCount
    if format == .openMetrics, stem >= 0,
      withBytes({ $0.extracting(stem..<$0.count).equalsIgnoringCase(suffix) })
    {
      truncate(to: stem)
    }
  }

  /// A family of one sample without labels.
  package mutating func single(
    _ format: MetricsFormat, _ name: StaticString, _ type: StaticString, _ help: StaticString,
    _ value: some FixedWidthInteger
  ) {
    family(format, name, type, help)
    begin(name)
    end(value)
  }

  /// Begins a sample; labels and the value follow.
  package mutating func begin(_ name: StaticString, _ suffix: StaticString = "") {
    append(name)
    append(suffix)
  }

  /// Opens the labels, or goes on with them: a name of ours never ends with a quote.
  private mutating func separate() {
    let goesOn = !isEmpty && self[count - 1] == UInt8(ascii: "\"")
    append(goesOn ? UInt8(ascii: ",") : UInt8(ascii: "{"))
  }

  package mutating func label(_ name: StaticString, _ value: StaticString) {
    separate()
    append(name)
    append("=\"")
    append(value)
    append("\"")
  }

  /// Backslash, quote and line feed are escaped.
  package mutating func label(_ name: StaticString, _ value: String) {
    separate()
    append(name)
    append("=\"")
    for byte in value.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): append("\\\\" as StaticString)
      case UInt8(ascii: "\""): append("\\\"" as StaticString)
      case 10: append("\\n" as StaticString)
      default: append(byte)
      }
    }
    append("\"")
  }

  /// A bucket's upper bound, nanoseconds as seconds or a number as it is. With a point in either format: as
  /// OpenMetrics wants it, so that a series has the same name however it is scraped.
  package mutating func label(_ name: StaticString, bound: Int64, isTime: Bool) {
    separate()
    append(name)
    append("=\"")
    if isTime { append(billionths: bound) } else { append(decimal: bound) }
    if !isTime || bound % 1_000_000_000 == 0 { append(".0") }
    append("\"")
  }

  private mutating func close() { append(self[count - 1] == UInt8(ascii: "\"") ? "} " : " ") }

  package mutating func end(_ value: some FixedWidthInteger) {
    close()
    append(decimal: value)
    append("\n")
  }

  /// A value given in billionths.
  package mutating func end(seconds nanoseconds: Int64) {
    close()
    append(billionths: nanoseconds)
    append("\n")
  }
}
