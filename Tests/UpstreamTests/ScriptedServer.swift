import COpenSSL
import Glibc
import Synchronization

/// One accepted connection of a scripted server, on a thread of its own; all calls block.
final class Peer: @unchecked Sendable {
  let descriptor: Int32
  private var pending: [UInt8] = []
  private var isClosed = false
  private(set) var ssl: OpaquePointer?
  /// HTTP/2: what has come of the requests' bodies.
  var bodies: [UInt32: [UInt8]] = [:]

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// Reads one request with a Content-Length body; nil when the client has closed.
  func readRequest() -> (head: String, body: [UInt8])? {
    while true {
      if let end = headEnd() {
        let head = String(decoding: pending[..<end], as: UTF8.self)
        var length = 0
        for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix("content-length:") {
          length = Int(line.dropFirst(15).drop { $0 == " " })!
        }
        while pending.count < end + 4 + length { if !fill() { return nil } }
        let body = Array(pending[(end + 4)..<(end + 4 + length)])
        pending.removeFirst(end + 4 + length)
        return (head, body)
      }
      if !fill() { return nil }
    }
  }

  /// Reads a request's head and nothing of what follows.
  func readHead() -> Bool {
    while headEnd() == nil { if !fill() { return false } }
    return true
  }

  /// Shakes hands as `tls` has it. False: the client would not.
  func secure(_ tls: ServerTLS) -> Bool {
    ssl = tls.accept(descriptor)
    return ssl != nil
  }

  /// The session of an earlier connection was resumed.
  var isResumed: Bool { ssl.map { SSL_session_reused($0) == 1 } ?? false }

  /// The name that the client has asked for.
  var serverName: String? {
    ssl.flatMap { SSL_get_servername($0, TLSEXT_NAMETYPE_host_name) }.map { String(cString: $0) }
  }

  /// Reads that many bytes; nil: the client has closed.
  func take(_ count: Int) -> [UInt8]? {
    while pending.count < count { if !fill() { return nil } }
    defer { pending.removeFirst(count) }
    return Array(pending[..<count])
  }

  /// Blocks until the client closes; what it sends meanwhile is dropped.
  func awaitEnd() { while fill() {} }

  /// Where the empty line begins that ends a head.
  private func headEnd() -> Int? {
    let mark: [UInt8] = [13, 10, 13, 10]
    if pending.count < 4 { return nil }
    return (0...(pending.count - 4)).first { pending[$0] == 13 && pending[$0..<($0 + 4)].elementsEqual(mark) }
  }

  private func fill() -> Bool {
    var chunk = [UInt8](repeating: 0, count: 65536)
    let n = ssl.map { Int(SSL_read($0, &chunk, Int32(chunk.count))) } ?? read(descriptor, &chunk, chunk.count)
    if n <= 0 { return false }
    pending.append(contentsOf: chunk[..<n])
    return true
  }

  @discardableResult func send(_ text: String) -> Bool { send(Array(text.utf8)) }
  @discardableResult func send(_ bytes: [UInt8]) -> Bool {
    var at = 0
    while at < bytes.count {
      let n = bytes[at...].withUnsafeBytes { rest in
        ssl.map { Int(SSL_write($0, rest.baseAddress, Int32(rest.count))) }
          ?? Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
      }
      if n <= 0 { return false }
      at += n
    }
    return true
  }

  func answer(_ body: String, status: String = "200 OK", type: String = "application/json") {
    send("HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
  }

  func close() {
    if isClosed { return }
    isClosed = true
    if let ssl {
      SSL_shutdown(ssl)
      SSL_free(ssl)
    }
    Glibc.close(descriptor)
  }

  /// Closes without TLS' own word of it, as one does who cuts a connection off.
  func cutOff() {
    if let ssl { SSL_set_quiet_shutdown(ssl, 1) }
    close()
  }

  /// Ends the connection with a RST.
  func reset() {
    if let ssl { SSL_set_quiet_shutdown(ssl, 1) }
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    close()
  }
}

/// A server on loopback that runs a script for each connection.
final class ScriptedServer: Sendable {
  let port: UInt16
  let tls: ServerTLS?
  /// Closed by the thread that accepts: another test's socket could have the number before that thread has seen the end, and
  /// its client would be taken away from it.
  private let listener: Int32
  private let accepts: Bool
  private let accepted = Atomic(0)
  private let requested = Atomic(0)

  /// `script`: the connection and its number, from 0; with `tls` after the handshake, and only if that is well done.
  init(
    backlog: Int32 = 64, accepts: Bool = true, tls: ServerTLS? = nil,
    _ script: @escaping @Sendable (ScriptedServer, Peer, Int) -> Void
  ) {
    self.tls = tls
    self.accepts = accepts
    (listener, port) = ScriptedServer.listen(backlog: backlog)
    if !accepts { return }
    let listener = self.listener
    spawn { [weak self] in
      while true {
        let descriptor = accept(listener, nil, nil)
        if descriptor < 0 {
          // Shut down by deinit.
          if errno == EINVAL { break }
          continue
        }
        guard let server = self else {
          close(descriptor)
          continue
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        let peer = Peer(descriptor)
        let number = server.accepted.add(1, ordering: .sequentiallyConsistent).oldValue
        spawn {
          // What the client has sent is read before the end: else that is a reset, and the alert is lost.
          if server.tls.map({ peer.secure($0) }) ?? true {
            script(server, peer, number)
          } else {
            peer.awaitEnd()
          }
          peer.close()
        }
      }
      close(listener)
    }
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
    if !accepts { close(listener) }
  }

  var url: String { "\(tls == nil ? "http" : "https")://127.0.0.1:\(port)/v1/chat/completions" }
  var connections: Int { accepted.load(ordering: .sequentiallyConsistent) }
  var requests: Int { requested.load(ordering: .sequentiallyConsistent) }
  func countRequest() { requested.add(1, ordering: .sequentiallyConsistent) }

  static func listen(backlog: Int32) -> (Int32, UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        precondition(bind(descriptor, $0, length) == 0)
        precondition(Glibc.listen(descriptor, backlog) == 0)
        precondition(getsockname(descriptor, $0, &length) == 0)
      }
    }
    return (descriptor, UInt16(bigEndian: address.sin_port))
  }

  /// A port of loopback on which nobody listens.
  static func closedPort() -> UInt16 {
    let (descriptor, port) = listen(backlog: 1)
    close(descriptor)
    return port
  }
}
