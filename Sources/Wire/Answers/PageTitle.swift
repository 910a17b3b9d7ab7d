internal import Base

/// The title of an HTML page: all that a proxy's error page or a captive portal has to say in a line.
package enum PageTitle {
  /// Where its text is; nil where there is none within `Limits.errorText`.
  package static func find(in page: Span<UInt8>) -> Range<Int>? {
    let page = page.extracting(0..<min(page.count, Limits.errorText))
    guard let tag = page.firstRangeIgnoringCase(of: "<title") else { return nil }
    let rest = page.extracting(tag..<page.count)
    guard let start = rest.firstIndex(of: UInt8(ascii: ">")) else { return nil }
    let text = rest.extracting(start + 1..<rest.count)
    guard let end = text.firstIndex(of: UInt8(ascii: "<")), end > 0 else { return nil }
    let first = tag + start + 1
    return first..<first + end
  }
}
