import Glibc
import Policy
import Testing
import TierFile

/// How a provider is reached: `tls` and `http`.
@Suite struct ConnectionTests {
  /// Files of a test, in a directory of its own.
  private final class Files {
    let directory: String

    init(_ contents: [String: String]) {
      var template = Array("/tmp/tier-file-XXXXXX".utf8CString)
      precondition(mkdtemp(&template) != nil)
      directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      for (name, text) in contents {
        let stream = fopen("\(directory)/\(name)", "w")
        fputs(text, stream)
        fclose(stream)
      }
    }

    deinit {
      for name in ["ca.pem", "own.pem", "key.pem", "empty"] { unlink("\(directory)/\(name)") }
      rmdir(directory)
    }
  }

  private func read(_ inside: String, in directory: String) -> Reading {
    let endpoint = inside.contains("endpoint") ? "" : "endpoint: \"https://h/v1\", "
    return Samples.read("providers:\n  p: { \(endpoint)models: [m], \(inside) }\n", named: "\(directory)/f")
  }

  @Test func everyKeyIsRead() throws {
    let files = Files([
      "ca.pem": "-----BEGIN CERTIFICATE-----\n", "own.pem": "x\n-----BEGIN CERTIFICATE-----",
    ])
    let reading = read(
      "tls: { ca_file: ca.pem, server_name: api.example.com, cert: own.pem, key: \(files.directory)/own.pem }",
      in: files.directory)
    let tls = try #require(reading.configuration?.providers.first?.tls)
    #expect(tls.authorityFile == "\(files.directory)/ca.pem")
    #expect(tls.serverName == "api.example.com")
    #expect(tls.certificate == "\(files.directory)/own.pem" && tls.key == tls.certificate)
    #expect(tls.verifies)
    let plain = try #require(read("tier: 1", in: "/").configuration?.providers.first)
    #expect(plain.tls == ProviderTLS() && plain.http == .auto)
  }

  @Test(arguments: [
    ("tls: { verify: no }", "providers.p.tls: whoever is on the way can read what is sent, the key too"),
    (
      "tls: { verify: no, ca_file: ca.pem }",
      "providers.p.tls: nothing is checked against ca_file with verify: false"
    ),
    ("tls: { ca_file: nowhere }", "providers.p.tls.ca_file: cannot read the file: No such file or directory"),
    ("tls: { cert: empty }", "providers.p.tls.cert: the file holds nothing in PEM"),
    ("tls: { key: ca.pem }", "providers.p.tls has a key and no cert"),
    ("tls: { server_name: \"a b\" }", "providers.p.tls.server_name is not a host's name"),
    ("tls: { sni: x }", "unknown key \"sni\" in providers.p.tls"),
    (
      "endpoint: \"http://h/v1\", http: 2, proxy: \"http://p\"",
      "providers.p.http: HTTP/2 in the clear does not go through an http:// proxy"
    ),
    ("proxy: \"https://p\"", "providers.p.proxy must be a URL; it begins with http://, socks5://"),
    (
      "tls: {verify: yes}, endpoint: \"http://h/v1\"",
      "providers.p.tls is of use only where the endpoint begins with https://"
    ),
    ("http: 3", "providers.p.http must be auto or 1.1 or 2"),
  ])
  func saysWhatIsWrong(_ inside: String, _ message: String) {
    let files = Files(["ca.pem": "-----BEGIN CERTIFICATE-----\n", "empty": ""])
    #expect(read(inside, in: files.directory).report.contains(message))
  }
}
