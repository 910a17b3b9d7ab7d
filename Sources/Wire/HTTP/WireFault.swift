/// Why bytes from a client cannot be read as a request. The connection is answered and closed.
package enum WireFault: Error, Hashable, Sendable {
  case malformedRequestLine
  case malformedTarget
  case unsupportedTargetForm
  case targetTooLong
  case unsupportedVersion
  case headTooLarge
  case tooManyFields
  case malformedFieldName
  case spaceBeforeColon
  case malformedFieldValue
  case foldedField
  case bareCarriageReturn
  case bareLineFeed
  case missingHost
  case repeatedHost
  case malformedHost
  case malformedContentLength
  case repeatedContentLength
  case lengthAndTransferEncoding
  case repeatedTransferEncoding
  case transferEncodingInHTTP10
  case unknownTransferEncoding
  case unknownExpectation
  case malformedChunkSize
  case chunkExtensionTooLong
  case malformedChunkEnd
  case malformedTrailer
  case bodyTooLarge

  /// The status of the answer (RFC 9110 §15, RFC 6585 §5).
  package var status: Int {
    switch self {
    case .targetTooLong: 414
    case .unsupportedVersion: 505
    case .headTooLarge, .tooManyFields: 431
    case .unknownTransferEncoding: 501
    case .unknownExpectation: 417
    case .bodyTooLarge: 413
    case .malformedRequestLine, .malformedTarget, .unsupportedTargetForm, .malformedFieldName,
      .spaceBeforeColon, .malformedFieldValue, .foldedField, .bareCarriageReturn, .bareLineFeed,
      .missingHost, .repeatedHost, .malformedHost, .malformedContentLength, .repeatedContentLength,
      .lengthAndTransferEncoding, .repeatedTransferEncoding, .transferEncodingInHTTP10,
      .malformedChunkSize, .chunkExtensionTooLong, .malformedChunkEnd, .malformedTrailer:
      400
    }
  }

  /// A short text for the error's message.
  package var reason: StaticString {
    switch self {
    case .malformedRequestLine: "malformed request line"
    case .malformedTarget: "malformed request target"
    case .unsupportedTargetForm: "this form of request target is not supported"
    case .targetTooLong: "request target too long"
    case .unsupportedVersion: "HTTP version not supported"
    case .headTooLarge: "request head too large"
    case .tooManyFields: "too many header fields"
    case .malformedFieldName: "malformed header field name"
    case .spaceBeforeColon: "white space before the colon of a header field"
    case .malformedFieldValue: "control character in a header field value"
    case .foldedField: "folded header field"
    case .bareCarriageReturn: "bare CR in the request head"
    case .bareLineFeed: "bare LF as a line end"
    case .missingHost: "missing Host header field"
    case .repeatedHost: "more than one Host header field"
    case .malformedHost: "malformed Host header field"
    case .malformedContentLength: "malformed Content-Length"
    case .repeatedContentLength: "more than one Content-Length"
    case .lengthAndTransferEncoding: "both Content-Length and Transfer-Encoding"
    case .repeatedTransferEncoding: "more than one Transfer-Encoding"
    case .transferEncodingInHTTP10: "Transfer-Encoding in an HTTP/1.0 request"
    case .unknownTransferEncoding: "unknown transfer coding"
    case .unknownExpectation: "unknown expectation"
    case .malformedChunkSize: "malformed chunk size"
    case .chunkExtensionTooLong: "chunk extension too long"
    case .malformedChunkEnd: "chunk data not followed by CRLF"
    case .malformedTrailer: "malformed or too long trailer section"
    case .bodyTooLarge: "request body too large"
    }
  }
}
