internal import Base
internal import CCurl
internal import CLinux

// The only file where C calls into Swift. A callback notes a fact and returns. It calls nothing of libcurl, and it
// frees and ends nothing: all that is done after the call into libcurl has returned.
//
// Lifetime: `upstream` below is unretained. The Upstream ends the multi handle and every easy handle in its
// deinit, so no callback runs after it.

/// What libcurl hands back to a callback: where the Upstream is, and which dial.
struct CallbackContext {
  let upstream: UnsafeMutableRawPointer
  let dial: UInt32
}

private let success: Int32 = 0

private func enter(_ upstream: UnsafeMutableRawPointer?, _ body: (Upstream) -> Void) {
  Unmanaged<Upstream>.fromOpaque(upstream.unsafelyUnwrapped)._withUnsafeGuaranteedRef { body($0) }
}

extension Upstream {
  /// This object as the callbacks' context. Not retained: see the top of the file.
  var opaque: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

  func connectCallbacks(multi: UnsafeMutableRawPointer) {
    _ = ccurl_multi_on_socket(
      multi,
      { _, descriptor, what, upstream, _ in
        enter(upstream) { $0.noteInterest(what, on: descriptor) }
        return success
      }, opaque)
    _ = ccurl_multi_on_timer(
      multi,
      { _, milliseconds, upstream in
        enter(upstream) { $0.noteTimer(milliseconds) }
        return success
      }, opaque)
  }

  /// `context`: a `CallbackContext` that outlives the handle.
  func connectCallbacks(easy: UnsafeMutableRawPointer, _ context: UnsafeMutableRawPointer) {
    _ = ccurl_on_open(
      easy,
      { context, _, address in
        // Lifetime: the context outlives the handle; the address is libcurl's, for the length of this call.
        guard let context, let address else { return -1 }
        let place = context.assumingMemoryBound(to: CallbackContext.self).pointee
        var descriptor: Int32 = -1
        enter(place.upstream) { upstream in
          if let dial = upstream.dials[Int(place.dial)] {
            descriptor = upstream.openSocket(address, of: dial)
          }
        }
        return descriptor
      }, context)
    // A connection outlives the dial that made it, so its end is told without one.
    _ = ccurl_on_close(
      easy,
      { upstream, descriptor in
        var isOurs = false
        enter(upstream) { isOurs = $0.keepsOpen(descriptor) }
        return isOurs ? success : close(descriptor)
      }, opaque)
  }
}
