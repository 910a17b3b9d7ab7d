import Base
import Glibc
import Testing
import Upstream

/// `openssl s_server` with a certificate made for the run.
private final class TLSServer {
  let certificate: String
  private(set) var port = 0
  private var process = pid_t(0)
  private let directory: String
  private let output: UnsafeMutablePointer<FILE>

  init(subject: String = "IP:127.0.0.1") throws {
    var template = Array("/tmp/upstream-tls-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    certificate = directory + "/cert.pem"
    let key = directory + "/key.pem"
    let made = try Self.start(
      [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=\(subject)", "-keyout", key,
        "-out",
        certificate,
      ], output: nil)
    var status: Int32 = 0
    waitpid(made, &status, 0)
    try #require(status == 0)
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    process = try Self.start(
      ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, "-www"],
      output: ends[1])
    close(ends[1])
    output = fdopen(ends[0], "r")
    // It says `ACCEPT 127.0.0.1:PORT` once it listens.
    var line = [CChar](repeating: 0, count: 512)
    while port == 0, fgets(&line, 512, output) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      guard text.hasPrefix("ACCEPT"), let colon = text.lastIndex(of: ":") else { continue }
      port = Int(text[text.index(after: colon)...].prefix { $0.isNumber }) ?? 0
    }
    try #require(port > 0)
  }

  deinit {
    kill(process, SIGKILL)
    waitpid(process, nil, 0)
    fclose(output)
    unlink(certificate)
    unlink(directory + "/key.pem")
    rmdir(directory)
  }

  private static func start(_ words: [String], output: Int32?) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    if let output {
      posix_spawn_file_actions_adddup2(&actions, output, 1)
    } else {
      posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    }
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    // Sockets of other tests must not live on in the child.
    for descriptor in Int32(3)..<1000 { posix_spawn_file_actions_addclose(&actions, descriptor) }
    var arguments = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var process = pid_t(0)
    try #require(posix_spawnp(&process, words[0], &actions, nil, &arguments, environ) == 0)
    return process
  }
}

@Suite struct TLSTests {
  private func get(_ server: TLSServer, trusting file: String?, host: String = "127.0.0.1") throws
    -> TransferOutcome
  {
    var settings = UpstreamSettings()
    settings.extraCertificateFile = file
    let driver = try Driver(settings)
    let id = driver.open(
      driver.target("https://\(host):\(server.port)/"), body: [], method: .get, lines: "")
    return try driver.end(id)
  }

  @Test func unknownAuthorityIsRefusedAndTheExtraOneIsTrusted() throws {
    let server = try TLSServer()
    let refused = try get(server, trusting: nil)
    #expect(refused.fault == .tlsFailed)
    #expect(!refused.isRequestSent)
    #expect(!refused.isHeadSeen)
    let trusted = try get(server, trusting: server.certificate)
    #expect(trusted.fault == nil)
    #expect(trusted.status == 200)
    #expect(trusted.handshakeTime >= trusted.connectTime)
    #expect(trusted.connectTime > .zero)
  }

  @Test func certificateOfAnotherNameIsRefused() throws {
    let server = try TLSServer(subject: "DNS:example.org")
    #expect(try get(server, trusting: server.certificate).fault == .tlsFailed)
  }

  @Test func namedCertificateFileReplacesTheSystems() throws {
    let server = try TLSServer()
    var settings = UpstreamSettings()
    settings.certificateFile = server.certificate
    let driver = try Driver(settings)
    let target = driver.target("https://127.0.0.1:\(server.port)/")
    #expect(try driver.end(driver.open(target, body: [], method: .get, lines: "")).fault == nil)
  }

  @Test func plainServerBehindATLSAddress() throws {
    let server = ScriptedServer { _, peer, _ in
      peer.send("HTTP/1.1 400 Bad Request\r\n\r\n")
      peer.awaitEnd()
    }
    let driver = try Driver()
    let id = driver.open(driver.target("https://127.0.0.1:\(server.port)/"))
    #expect(try driver.end(id).fault == .tlsFailed)
  }
}
