package import Base

/// What went wrong with an attempt, as far as the decision about the next one goes (SPEC 4, "Faults").
package enum Fault: Equatable, Sendable {
  /// No connection: no route, name not found, `timeouts.connect` passed.
  case unreachable
  /// No connection: nobody listens there (yet).
  case refused
  case tls
  case reset
  /// The path is dead: SYN or request bytes stayed unacknowledged (SPEC 4, "Silence is not slowness").
  case silence
  /// Any 5xx but 529.
  case serverError
  /// 529.
  case overloaded
  /// It says that it is starting: a model is being loaded.
  case starting
  /// 408.
  case timedOut
  /// The answer's body ended before its end.
  case cut
  /// An error object in a 200.
  case errorInside
  /// A 200 that is neither JSON nor an event stream.
  case foreign
  /// 3xx.
  case redirected
  case emptyStream
  /// `timeouts.first_token` or `stream_idle` passed, or our own deadline.
  case tooSlow
  /// 429 for the rate, until the time it gave.
  case rate(until: Instant?)
  /// 429 or 402 for a used-up quota or missing credit, until the reset it named.
  case quota(until: Instant?)
  /// 401, 403.
  case keyRejected
  /// 404 or "model not found".
  case modelMissing
  /// 404 or 405 that names no model, 501: the provider does not have this endpoint.
  case endpointMissing
  /// The model is there, at another endpoint.
  case modelLacksEndpoint
  /// 413 or "context too long".
  case tooLong
  /// 402 or 403 for what this request says (moderation) or asks for (more tokens than the credit pays for).
  case requestRefused
  /// This candidate cannot serve this request, and another may: an endpoint that it does not have, a tool call
  /// that its model got wrong.
  case unsuited
  /// 400, 409, 415, 422 and other 4xx: the client's own, relayed as it came.
  case clientFault
  /// A reused connection closed before a byte of the answer.
  case staleConnection
  /// The client went away: the attempt was cancelled.
  case clientGone
  /// Another connection of the race was ready first; no byte of the request was sent.
  case raceLost
  /// We had no room to ask it: memory or descriptors.
  case noRoom
  /// It was asked together with others and that failed for what one of them asks, or for their number: each is asked alone.
  case takenApart

  /// Whose fault it is, and so what is left alone.
  package enum Blame: Equatable, Sendable { case provider, account, key, candidate, endpoint, client, nobody }

  package var blame: Blame {
    switch self {
    case .unreachable, .refused, .tls, .reset, .silence, .serverError, .overloaded, .starting, .timedOut,
      .cut,
      .errorInside,
      .foreign, .redirected, .emptyStream, .tooSlow:
      .provider
    case .rate, .quota: .account
    case .keyRejected: .key
    case .modelMissing: .candidate
    case .endpointMissing, .modelLacksEndpoint: .endpoint
    case .tooLong, .requestRefused, .clientFault: .client
    case .staleConnection, .clientGone, .raceLost, .noRoom, .unsuited, .takenApart: .nobody
    }
  }

  /// The provider's words tell the client more about its request than a list of attempts would.
  package var isAboutTheRequest: Bool {
    switch self {
    case .tooLong, .requestRefused, .unsuited, .modelMissing, .endpointMissing, .modelLacksEndpoint,
      .clientFault:
      true
    case .unreachable, .refused, .tls, .reset, .silence, .serverError, .overloaded, .starting, .timedOut,
      .cut,
      .errorInside,
      .foreign, .redirected, .emptyStream, .tooSlow, .rate, .quota, .keyRejected, .staleConnection,
      .clientGone, .raceLost, .noRoom, .takenApart:
      false
    }
  }

  /// Nothing was asked of the provider, and not for its doing.
  package var isUnasked: Bool { self == .raceLost || self == .noRoom }

  /// It may last a billing period.
  var isOfQuota: Bool {
    if case .quota = self { return true }
    return false
  }

  /// The path itself failed, not the program behind it.
  package var isOfThePath: Bool {
    switch self {
    case .unreachable, .refused, .tls, .reset, .silence: true
    case .serverError, .overloaded, .starting, .timedOut, .cut, .errorInside, .foreign, .redirected,
      .emptyStream,
      .tooSlow, .rate, .quota, .keyRejected, .modelMissing, .endpointMissing, .modelLacksEndpoint, .tooLong,
      .requestRefused, .unsuited, .clientFault, .staleConnection, .clientGone, .raceLost,
      .noRoom, .takenApart:
      false
    }
  }

  /// What the attempt is charged to its budgets where no `usage` tells: nothing if the request was never sent,
  /// no tokens if it was refused, else what was estimated.
  var charge: Charge {
    switch self {
    case .unreachable, .refused, .tls, .raceLost, .noRoom: .nothing
    case .redirected, .rate, .quota, .keyRejected, .modelMissing, .endpointMissing, .modelLacksEndpoint,
      .tooLong, .requestRefused, .unsuited, .clientFault, .takenApart:
      .requestOnly
    case .reset, .silence, .serverError, .overloaded, .starting, .timedOut, .cut, .errorInside, .foreign,
      .emptyStream,
      .tooSlow, .staleConnection, .clientGone:
      .estimate
    }
  }

  enum Charge { case nothing, requestOnly, estimate }

  /// One word for logs, `X-Synaxis-Attempts` and status pages.
  package var reason: StaticString {
    switch self {
    case .unreachable, .refused: "unreachable"
    case .tls: "tls"
    case .reset: "reset"
    case .silence: "silence"
    case .serverError: "server_error"
    case .overloaded: "overloaded"
    case .starting: "starting"
    case .timedOut: "timeout"
    case .cut: "cut"
    case .errorInside: "error_in_200"
    case .foreign: "foreign_content"
    case .redirected: "redirect"
    case .emptyStream: "empty_stream"
    case .tooSlow: "too_slow"
    case .rate: "rate_limited"
    case .quota: "quota"
    case .keyRejected: "key_rejected"
    case .modelMissing: "model_not_found"
    case .endpointMissing: "endpoint_not_found"
    case .modelLacksEndpoint: "model_lacks_endpoint"
    case .tooLong: "context_too_long"
    case .requestRefused: "request_refused"
    case .unsuited: "unsuited"
    case .clientFault: "client_error"
    case .staleConnection: "stale_connection"
    case .clientGone: "cancelled"
    case .raceLost: "race_lost"
    case .noRoom: "no_room"
    case .takenApart: "batch_taken_apart"
    }
  }
}
