/// How an exchange ended.
package enum Ending: Sendable {
  case complete
  /// A provider's answer that is the client's fault, as it came.
  case relayed
  case failed(LocalError)
  case cut
  case stalled
  case clientLeft

  /// One word for the log.
  package var word: StaticString {
    switch self {
    case .complete: "complete"
    case .relayed: "relayed"
    case .failed(let error): error.row.code
    case .cut: "upstream_cut"
    case .stalled: "upstream_stalled"
    case .clientLeft: "client_left"
    }
  }
}
