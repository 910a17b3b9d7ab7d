import Base
import Policy
import TestSupport
import Testing

@testable import Downstream
@testable import Proxy

/// What becomes of requests that no provider is asked for.
@Suite struct RunnerTests {
  /// Status, fields, and body of an answer that is whole.
  private func parts(_ answer: String) throws -> (status: String, fields: [Substring], body: String) {
    let end = try #require(answer.firstRange(of: "\r\n\r\n"))
    let lines = answer[..<end.lowerBound].split(separator: "\r\n")
    return (String(lines[0]), Array(lines[1...]), String(answer[end.upperBound...]))
  }

  @Test func aPageHasItsLength() throws {
    let proxying = try Proxying()
    let client = try proxying.ask("GET", "/v1/models")
    #expect(client.isAnswered)
    let answer = try parts(proxying.take(client))
    #expect(answer.status == "HTTP/1.1 200 OK")
    #expect(answer.fields.contains("Content-Length: \(answer.body.utf8.count)"))
    #expect(answer.body.contains(#""id":"m""#))
  }

  @Test func ofAPageHEADHasTheHeadAlone() throws {
    let proxying = try Proxying()
    let whole = try parts(proxying.take(try proxying.ask("GET", "/v1/models")))
    let client = try proxying.ask("HEAD", "/v1/models")
    let bare = try parts(proxying.take(client))
    #expect(client.isAnswered && bare.body.isEmpty)
    #expect(bare.fields.contains("Content-Length: \(whole.body.utf8.count)"))
  }

  struct Refusal: CustomTestStringConvertible {
    let method: String
    let path: String
    var fields = ""
    var body: String?
    let status: String
    let code: String
    var testDescription: String { "\(method) \(path) \(body ?? "")" }
  }

  @Test(arguments: [
    Refusal(method: "GET", path: "/v1/nothing", status: "404 Not Found", code: "not_found"),
    Refusal(
      method: "POST", path: "/healthz", body: "", status: "405 Method Not Allowed", code: "method_not_allowed"
    ),
    Refusal(
      method: "POST", path: "/v1/chat/completions", body: "{", status: "400 Bad Request", code: "invalid_json"
    ),
    Refusal(
      method: "POST", path: "/v1/chat/completions", body: #"{"messages":[]}"#, status: "400 Bad Request",
      code: "missing_required_field"),
    Refusal(
      method: "POST", path: "/v1/chat/completions", body: #"{"model":"mm","messages":[]}"#,
      status: "404 Not Found", code: "model_not_found"),
    Refusal(
      method: "GET", path: "/healthz", fields: "origin: https://evil.example\r\n", status: "403 Forbidden",
      code: "origin_not_allowed"),
  ])
  func refusalsSayWhy(_ row: Refusal) throws {
    let proxying = try Proxying()
    let client = try proxying.ask(row.method, row.path, row.fields, body: row.body)
    #expect(client.isAnswered)
    let answer = try parts(proxying.take(client))
    #expect(answer.status == "HTTP/1.1 \(row.status)")
    #expect(answer.fields.contains("Content-Length: \(answer.body.utf8.count)"))
    #expect(answer.body.contains(#""code":"\#(row.code)""#), "\(answer.body)")
  }

  /// A long page comes in pieces, each when the client has taken the last one, and others are served between.
  @Test func aLongPageWaitsForItsClient() throws {
    let proxying = try Proxying { configuration in
      configuration.providers = (0..<400).map { provider("provider-\($0)") }
    }
    let client = try proxying.ask("GET", "/metrics")
    var page = ""
    var turns = 0
    while !client.isAnswered, turns < 10_000 {
      // It takes something now and then only: what waits for it meanwhile is bounded.
      if turns % 8 == 0 { page += proxying.take(client) }
      #expect(client.bytesHeld <= Limits.gathered + 2 * Limits.pagePiece)
      let other = try proxying.ask("GET", "/healthz")
      #expect(other.isAnswered)
      proxying.downstream.close(other)
      proxying.settle()
      proxying.downstream.destroyClosed()
      proxying.turn()
      turns += 1
    }
    page += proxying.take(client)
    #expect(client.isAnswered && turns > 8)
    let answer = try parts(page)
    #expect(answer.body.hasSuffix("\n") && answer.body.utf8.count > 4 * Limits.pagePiece)
    #expect(answer.body.contains(#"provider="provider-399""#))
  }

  /// Who has the page for people open hears of it no longer than it stays.
  @Test func whoWatchesMayLeave() throws {
    let proxying = try Proxying { $0.admin.token = Secret("t") }
    let client = try proxying.ask("GET", "/admin/events", "authorization: Bearer t\r\n")
    #expect(!client.isAnswered)
    #expect(proxying.take(client).contains("event: all\ndata: "))
    #expect(proxying.runner.nextDue < .distantFuture)
    proxying.downstream.close(client)
    proxying.settle()
    proxying.downstream.destroyClosed()
    #expect(proxying.runner.watching.nextDue == .distantFuture)
  }

  /// The end of the process ends those streams cleanly.
  @Test func aDrainEndsWatching() throws {
    let proxying = try Proxying { $0.admin.token = Secret("t") }
    let client = try proxying.ask("GET", "/admin/events", "authorization: Bearer t\r\n")
    proxying.runner.beginDrain(now: proxying.now.instant)
    #expect(client.isAnswered && !client.sink.isCut)
    let late = try proxying.ask("GET", "/admin/events", "authorization: Bearer t\r\n")
    #expect(try parts(proxying.take(late)).status == "HTTP/1.1 503 Service Unavailable")
  }
}
