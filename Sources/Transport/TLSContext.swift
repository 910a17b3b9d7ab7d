internal import Base
internal import CLinux
internal import COpenSSL

/// The SSL_CTX of one set of settings: authorities are parsed once for all of its connections, and again when a file
/// has changed.
package final class TLSContext {
  package let settings: TLSSettings
  // Lifetime: our reference; connections hold further ones. Freed in deinit and when another one takes its place.
  private var context: OpaquePointer?
  /// What the files looked like that the context was made from, or that could not be used.
  private var stamps: [UInt64] = []
  /// Counts the contexts: what belongs to an earlier one, like sessions, is of no use to a later.
  private(set) var edition = 0
  /// Why there is no context, or why the one in use is older than its files; nil: all is well.
  package private(set) var fault: TLSFault?

  package init(_ settings: TLSSettings) {
    self.settings = settings
    _ = current()
  }

  deinit { SSL_CTX_free(context) }

  /// The context as its files have it now. Files that cannot be used leave the earlier one in force; nil: there is
  /// none.
  func current() -> OpaquePointer? {
    let found = settings.paths.map { linux_file_stamp($0) }
    if found == stamps, context != nil || fault != nil { return context }
    stamps = found
    do throws(TLSFault) {
      let made = try Self.make(settings)
      SSL_CTX_free(context)
      context = made
      edition += 1
      fault = nil
    } catch {
      fault = error
    }
    return context
  }

  /// Whether a connection was made with the context that is in force.
  func isOf(_ ssl: OpaquePointer) -> Bool { SSL_get_SSL_CTX(ssl) == context }

  private static func make(_ settings: TLSSettings) throws(TLSFault) -> OpaquePointer {
    guard let context = cssl_client_context(settings.verifies ? 1 : 0, Limits.connectionRead) else {
      throw .outOfMemory
    }
    do throws(TLSFault) {
      try load(settings, into: context)
      return context
    } catch {
      SSL_CTX_free(context)
      throw error
    }
  }

  private static func load(_ settings: TLSSettings, into context: OpaquePointer) throws(TLSFault) {
    ERR_clear_error()
    if let expected = settings.expected {
      if cssl_expect(context, expected) != 1 { throw .unusableFile(expected, TLSFault.takeReason().text) }
    } else if settings.verifies {
      if settings.authorityFile == nil, settings.authorityDirectory == nil {
        SSL_CTX_set_default_verify_paths(context)
      } else if SSL_CTX_load_verify_locations(context, settings.authorityFile, settings.authorityDirectory)
        != 1
      {
        throw .unusableFile(
          settings.authorityFile ?? settings.authorityDirectory ?? "", TLSFault.takeReason().text)
      }
    }
    guard let certificate = settings.certificate else { return }
    if SSL_CTX_use_certificate_chain_file(context, certificate) != 1 {
      throw .unusableFile(certificate, TLSFault.takeReason().text)
    }
    let key = settings.key ?? certificate
    if SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 {
      throw .unusableFile(key, TLSFault.takeReason().text)
    }
  }
}
