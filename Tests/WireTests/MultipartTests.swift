import Base
import TestSupport
import Testing

@testable import Wire

/// In one go; with pauses the same.
private func outcome(_ body: String, _ contentType: String) -> String {
  let whole = outcome(body, contentType, step: .max)
  for step in [1, 5, 64] { #expect(outcome(body, contentType, step: step) == whole) }
  return whole
}

private func outcome(_ body: String, _ contentType: String, step: Int) -> String {
  let bytes = body.bytes
  let type = contentType.bytes
  do throws(MultipartFault) {
    var reading = try MultipartReading(type.span)
    var limit = step
    while try !reading.goOn(bytes.span, upTo: limit) { limit += step }
    let form = reading.form
    let model = form.model.map { bytes.span.extracting($0).text } ?? "-"
    let stream = form.stream.map { bytes.span.extracting($0).text } ?? "-"
    return "\(model) \(stream) \(form.partCount)"
  } catch {
    return "\(error)"
  }
}

private let plain = "multipart/form-data; boundary=XX"
private let file =
  "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"model\"\r\nContent-Type: audio/x\r\n\r\n\0\r\n-XX\r\n\r\n"
private let model = "--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n"
private let stream = "--XX\r\ncontent-disposition:form-data;name=stream\r\n\r\ntrue\r\n"

@Suite struct MultipartTests {
  @Test(arguments: [
    (file + model + stream + "--XX--\r\n", plain, "whisper-1 true 3"),
    (model + "--XX--", plain, "whisper-1 - 1"),
    ("--XX--\r\n", plain, "- - 0"),
    (model + "--XX--epilogue", "Multipart/Form-Data;charset=x; BOUNDARY=\"XX\"", "whisper-1 - 1"),
    ("--XX\r\n\r\nno head\r\n--XX--", plain, "- - 1"),
    ("--XX \t\r\nContent-Disposition: form-data; name=model\r\n\r\n\r\n--XX--", plain, " - 1"),
    (model + "--XX--", "multipart/form-data", "missingBoundary"),
    (model + "--XX--", "application/json", "notMultipart"),
    (model + "--XX--", "multipart/form-datax; boundary=XX", "notMultipart"),
    (model + "--XX--", "multipart/form-data; boundary=", "malformedBoundary"),
    (model, "multipart/form-data; boundary=\"X\\\"X\"", "malformedBoundary"),
    (model, "multipart/form-data; boundary=\"XX", "malformedBoundary"),
    (model, "multipart/form-data; boundary=\(String(repeating: "X", count: 71))", "malformedBoundary"),
    ("", plain, "missingDelimiter"), ("x", plain, "missingDelimiter"),
    ("\r\n--XX--", plain, "- - 0"), ("--XY--", plain, "missingDelimiter"),
    (model, plain, "missingEnd"), (model + "--XX", plain, "missingEnd"),
    ("--XX\r\n--XX--", plain, "missingEnd"),
    ("--XX\r\nContent-Disposition: form-data; name=model\r\n--XX--", plain, "malformedPart"),
    (model + model + "--XX--", plain, "repeatedPart"),
    (
      "--XX\r\n\(String(repeating: "a", count: Limits.formPartHead))\r\n\r\n\r\n--XX--", plain,
      "partHeadTooLong"
    ),
    (String(repeating: file, count: Limits.formParts + 1) + "--XX--", plain, "tooManyParts"),
    ("--XX\r\nContent-Disposition: form-data; name=\"a;name=model\"\r\n\r\nx\r\n--XX--", plain, "- - 1"),
    (model + "--XX--", plain + "; boundary=YY", "malformedBoundary"),
    (model + "--XX--", plain + "; boundary*=utf-8''YY", "malformedBoundary"),
    (model + "--XX--", plain + "; what is this", "whisper-1 - 1"),
  ])
  func scans(_ body: String, _ contentType: String, _ expected: String) {
    #expect(outcome(body, contentType) == expected)
  }

  /// What one reader takes for the model and another one does not.
  @Test(arguments: [
    ("form-data; name = \"model\"", "x - 1"), ("form-data;name=model;", "x - 1"),
    ("form-data; name=\"model\"; filename=\"a\"b\".mp3\"", "x - 1"),
    ("form-data; filename=\"a\\\"b\"; name=\"model\"", "x - 1"),
    ("form-data; name=\"file\"; filename=\"a\"; filename*=UTF-8''a", "- - 1"),
    ("form-data; name=\"names\"; named=\"model\"", "- - 1"), ("form-data", "- - 1"),
    ("form-data; name=\"x\"; name=\"model\"", "malformedPart"),
    ("form-data; name*=utf-8''model", "malformedPart"),
    ("form-data; NAME*0=mod; name*1=el", "malformedPart"), ("form-data; name=\"mod\\el\"", "malformedPart"),
    ("form-data; x; name=\"model\"", "malformedPart"),
    ("form-data; name=\"x\" y; name=\"model\"", "malformedPart"),
    ("form-data; name=\"model", "malformedPart"), ("form-data;\r\n name=\"model\"", "malformedPart"),
    ("x\nContent-Disposition: form-data; name=\"model\"", "malformedPart"),
    ("x\rContent-Disposition: form-data; name=\"model\"", "malformedPart"),
    ("x\r\nContent-Disposition: form-data; name=\"model\"", "malformedPart"),
  ])
  func namesOnePart(_ disposition: String, _ expected: String) {
    #expect(outcome("--XX\r\nContent-Disposition: \(disposition)\r\n\r\nx\r\n--XX--", plain) == expected)
    let odd = "--XX\r\nContent-Disposition : form-data; name=model\r\n\r\nx\r\n--XX--"
    #expect(outcome(odd, plain) == "malformedPart")
  }
}
