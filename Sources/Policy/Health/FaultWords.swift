/// What is said of a fault to people. `Fault.reason` is the word for programs.
extension Fault {
  /// What follows the provider's name in a sentence.
  package var phrase: StaticString {
    switch self {
    case .unreachable, .refused: "cannot be reached"
    case .tls: "cannot be reached by TLS"
    case .reset: "dropped the connection"
    case .silence: "does not answer any more"
    case .serverError: "failed"
    case .overloaded: "is overloaded"
    case .starting: "is starting"
    case .timedOut: "timed out"
    case .cut: "broke its answer off"
    case .errorInside: "sent an error"
    case .foreign: "sent what is no answer of an OpenAI API"
    case .redirected: "redirects"
    case .emptyStream: "sent an empty answer"
    case .tooSlow: "sent nothing in time"
    case .rate: "is at its rate limit"
    case .quota: "is out of quota or credit"
    case .keyRejected: "rejected its key"
    case .modelMissing: "does not have this model"
    case .endpointMissing: "does not have this endpoint"
    case .modelLacksEndpoint: "does not have this model at this endpoint"
    case .requestRefused: "refused this request"
    case .tooLong: "finds the request too long"
    case .unsuited: "cannot serve this request"
    case .clientFault: "refused the request"
    case .staleConnection: "did not take the request up"
    case .clientGone: "was not waited for"
    case .raceLost: "was not asked"
    case .takenApart: "was asked together with others, and then alone"
    case .noRoom: "could not be asked: memory or descriptors are short here"
    }
  }

  /// What its operator can do about it, behind "«provider»: "; nil where time mends it.
  package var remedy: StaticString? {
    switch self {
    case .keyRejected: "put a valid key into the tier file and reload it (SIGHUP)"
    case .unreachable, .refused: "look whether it runs and whether its `endpoint` is right"
    case .tls: "look at its `endpoint` (https:// or http://, the port) and at its `tls`"
    case .foreign: "look whether its `endpoint` is that of an OpenAI API"
    case .modelMissing: "look how it names the model, and write that into the tier file"
    case .redirected: "write where it points into its `endpoint`"
    case .quota: "add credit, or another provider"
    case .reset, .silence, .serverError, .overloaded, .starting, .timedOut, .cut, .errorInside, .emptyStream,
      .tooSlow,
      .rate, .endpointMissing, .modelLacksEndpoint, .tooLong, .requestRefused, .unsuited, .clientFault,
      .staleConnection, .clientGone, .raceLost, .noRoom, .takenApart:
      nil
    }
  }
}
