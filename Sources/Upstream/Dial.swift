internal import Base
internal import CCurl
internal import CLinux

/// What libcurl works on while it makes one connection: names, both address families, proxies. Used again and again.
///
/// libcurl connects and does nothing else (CURLOPT_CONNECT_ONLY): the socket is taken from it when it stands.
final class Dial {
  /// Names one use, so that a socket of an earlier one is not taken for its own.
  struct ID: Equatable {
    let index: UInt32
    let use: UInt32
    static let none = ID(index: .max, use: 0)
  }

  private(set) var id: ID
  // Lifetime: made in init, ended in deinit; no dial outlives the Upstream's multi handle.
  let easy: UnsafeMutableRawPointer
  /// What every callback of the handle is given. Lifetime: allocated in init, freed in deinit after the handle.
  private let context: UnsafeMutablePointer<CallbackContext>
  /// CURLOPT_ERRORBUFFER; freed with the context.
  private let words: UnsafeMutablePointer<CChar>
  /// What the handle was last set to.
  private var target: Target?
  /// The connection that is being made; nil: none.
  private(set) var connection: Connection?
  /// It was given no socket, since this process may have no more.
  var lacksDescriptors = false

  /// nil: memory is out.
  init?(index: UInt32, upstream: Upstream) {
    guard let easy = curl_easy_init() else { return nil }
    self.easy = easy
    id = ID(index: index, use: 0)
    context = .allocate(capacity: 1)
    context.initialize(to: CallbackContext(upstream: upstream.opaque, dial: index))
    words = .allocate(capacity: Int(CURL_ERROR_SIZE))
    words.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    upstream.connectCallbacks(easy: easy, UnsafeMutableRawPointer(context))
    _ = ccurl_set_pointer(easy, CURLOPT_PRIVATE, context)
    _ = ccurl_set_pointer(easy, CURLOPT_ERRORBUFFER, words)
    _ = ccurl_only_http(easy)
    ccurl_leave_resolver_behind(easy)
    _ = ccurl_set_long(easy, CURLOPT_NOSIGNAL, 1)
    _ = ccurl_set_long(easy, CURLOPT_CONNECT_ONLY, 1)
    // No answer goes through it: the least that libcurl takes, not 16 KiB for each of a burst's dials.
    _ = ccurl_set_long(easy, CURLOPT_BUFFERSIZE, 1024)
    _ = ccurl_set_long(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    _ = ccurl_set_long(easy, CURLOPT_DNS_CACHE_TIMEOUT, 60)
    // A silent IPv6 path must have been left before the time of failover is over.
    _ = ccurl_set_long(easy, CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS, 60)
  }

  deinit {
    curl_easy_cleanup(easy)
    context.deallocate()
    words.deallocate()
  }

  /// What libcurl said about a fault; may be empty. Lifetime: the buffer always ends in a NUL.
  var message: String { String(cString: words) }

  func begin(_ connection: Connection) {
    id = ID(index: id.index, use: id.use &+ 1)
    self.connection = connection
    words[0] = 0
    lacksDescriptors = false
    let target = connection.target
    guard self.target !== target, let destination = target.destination else { return }
    _ = ccurl_set_text(easy, CURLOPT_URL, destination.dialURL)
    _ = ccurl_set_text(easy, CURLOPT_UNIX_SOCKET_PATH, target.spec.socket)
    // The empty text switches the environment's proxy variables off.
    _ = ccurl_set_text(easy, CURLOPT_PROXY, destination.dialProxy ?? "")
    // What is dialled looks like plain HTTP to libcurl, which TLS will then go over.
    _ = ccurl_set_long(easy, CURLOPT_HTTPPROXYTUNNEL, destination.isSecure ? 1 : 0)
    _ = ccurl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, max(1, Int(target.spec.connectTimeout.milliseconds)))
    self.target = target
  }

  func end() { connection = nil }

  /// Keeps nothing of a target that has gone.
  func forget(_ gone: Target) { if target === gone { target = nil } }
}

extension TransferFault {
  /// What a result code means (libcurl-errors(3)) of a connection that could not be made.
  init(ofDial code: CURLcode, lacksDescriptors: Bool) {
    if lacksDescriptors {
      self = .outOfDescriptors
      return
    }
    switch code {
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: self = .couldNotResolve
    case CURLE_OPERATION_TIMEDOUT: self = .connectTimedOut
    case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_OUT_OF_MEMORY, CURLE_FAILED_INIT:
      self = .localFault
    default: self = .couldNotConnect
    }
  }
}
