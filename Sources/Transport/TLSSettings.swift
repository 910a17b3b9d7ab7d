/// How connections to a server are secured. Equal settings share one context.
package struct TLSSettings: Hashable, Sendable {
  /// Authorities to trust: a file of certificates in PEM, and a directory of such files that are named by their
  /// subjects' hashes (openssl-rehash(1)). Neither: those that OpenSSL was built with.
  package var authorityFile: String?
  package var authorityDirectory: String?
  /// A file whose first certificate is the one that the server has to show, whatever name and dates are in it; nothing
  /// else is asked of it then.
  package var expected: String?
  /// A certificate of our own, with those that sign it, and its key, in PEM; nil: none is shown.
  package var certificate: String?
  package var key: String?
  /// Whether the server's certificate must be good.
  package var verifies = true

  package init() {}

  /// The files that a context is made from.
  var paths: [String] { [authorityFile, authorityDirectory, expected, certificate, key].compactMap { $0 } }
}
