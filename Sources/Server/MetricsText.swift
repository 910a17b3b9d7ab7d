package import Base

// Prometheus' text format 0.0.4: `name{label="value",…} number`, families headed by HELP and TYPE.
extension ByteBuffer {
  package mutating func family(_ name: StaticString, _ type: StaticString, _ help: StaticString) {
    append("# HELP ")
    append(name)
    append(" ")
    append(help)
    append("\n# TYPE ")
    append(name)
    append(" ")
    append(type)
    append("\n")
  }

  /// A family of one sample without labels.
  package mutating func single(
    _ name: StaticString, _ type: StaticString, _ help: StaticString, _ value: some FixedWidthInteger
  ) {
    family(name, type, help)
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

  /// A bucket's upper bound: nanoseconds as seconds, or a number as it is.
  package mutating func label(_ name: StaticString, bound: Int64, isTime: Bool) {
    separate()
    append(name)
    append("=\"")
    if isTime { append(seconds: bound) } else { append(decimal: bound) }
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
    append(seconds: nanoseconds)
    append("\n")
  }

  /// Billionths as a decimal number without needless zeros.
  private mutating func append(seconds nanoseconds: Int64) {
    append(decimal: nanoseconds / 1_000_000_000)
    var rest = nanoseconds % 1_000_000_000
    if rest == 0 { return }
    append(".")
    var scale: Int64 = 100_000_000
    while rest > 0 {
      append(UInt8(48 + rest / scale))
      rest %= scale
      scale /= 10
    }
  }
}
