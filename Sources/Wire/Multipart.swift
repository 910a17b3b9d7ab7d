internal import Base

/// Why a multipart form cannot be read.
package enum MultipartFault: Error, Hashable, Sendable {
  case notMultipart, missingBoundary, malformedBoundary
  case missingDelimiter, malformedPart, partHeadTooLong, tooManyParts, repeatedPart, missingEnd

  package var reason: StaticString { "" }
}

/// The parts of a multipart form (RFC 7578) that decide where it goes, as ranges of their values in the body.
package struct MultipartForm: Hashable, Sendable {
  package var model: Range<Int>?
  package var stream: Range<Int>?
  package var partCount = 0

  /// Reads a whole body. `contentType` is the value of the request's Content-Type field.
  package static func scan(_ body: Span<UInt8>, contentType: Span<UInt8>) throws(MultipartFault)
    -> MultipartForm
  { MultipartForm() }

  /// Whether a Content-Type value is `multipart/form-data`.
  package static func isForm(_ contentType: Span<UInt8>) -> Bool { false }
}
