internal import Base
internal import CCurl
internal import CLinux

// The only file where C calls into Swift. A callback looks up its slot, notes a fact or moves bytes, and
// returns. It calls nothing of libcurl, and it frees and ends nothing: all that is done after the call into
// libcurl has returned.
//
// Lifetime: `upstream` below is unretained. The Upstream ends the multi handle and every easy handle in its
// deinit, so no callback runs after it.

/// What libcurl hands back to a callback: where the Upstream is, and which slot.
struct CallbackContext {
  let upstream: UnsafeMutableRawPointer
  let slot: UInt32
}

private let success: Int32 = 0

@inline(__always)
private func enter<R>(_ context: UnsafeMutableRawPointer?, _ body: (Upstream, Slot) -> R) -> R {
  // Lifetime: libcurl hands back the slot's context, which outlives its handle.
  let context = context.unsafelyUnwrapped.assumingMemoryBound(to: CallbackContext.self).pointee
  return Unmanaged<Upstream>.fromOpaque(context.upstream)._withUnsafeGuaranteedRef { upstream in
    body(upstream, upstream.slots[Int(context.slot)])
  }
}

@inline(__always)
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

  func connectCallbacks(easy: UnsafeMutableRawPointer, of slot: Slot) {
    let context = UnsafeMutableRawPointer(slot.context)
    _ = ccurl_on_header(
      easy,
      { bytes, size, count, context in
        // Lifetime: the bytes are libcurl's, for the length of this call.
        let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
        return enter(context) { $0.takeForeignHeaderLine(line, $1) ? line.count : 0 }
      }, context)
    _ = ccurl_on_write(
      easy,
      { bytes, size, count, context in
        // Lifetime: as above.
        let piece = UnsafeRawBufferPointer(start: bytes, count: size * count)
        return enter(context) { $0.relay(piece, of: $1) ? piece.count : Int(CURL_WRITEFUNC_PAUSE) }
      }, context)
    _ = ccurl_on_read(
      easy,
      { room, size, count, context in
        // Lifetime: room in libcurl's upload buffer, for the length of this call.
        let room = UnsafeMutableRawBufferPointer(start: room, count: size * count)
        return enter(context) { $0.giveBody(room, $1) }
      }, context)
    _ = ccurl_on_request(
      easy,
      { context, _, _, remotePort, localPort in
        // A line is ready when libcurl has handed it over.
        let goesOn = enter(context) {
          $1.connectsOnly
            || $0.connectionReady(
              $1, local: UInt16(truncatingIfNeeded: localPort), remote: UInt16(truncatingIfNeeded: remotePort)
            )
        }
        return goesOn ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
      }, context)
    _ = ccurl_on_open(
      easy,
      { context, _, address in
        // Lifetime: the address is libcurl's, for the length of this call.
        guard let address else { return -1 }
        return enter(context) { $0.openSocket(address, $1) }
      }, context)
    // A connection outlives the transfer that opened it, so its end is told without a slot.
    _ = ccurl_on_close(
      easy,
      { upstream, descriptor in
        var isOurs = false
        enter(upstream) { isOurs = $0.keepsOpen(descriptor) }
        return isOurs ? success : close(descriptor)
      }, opaque)
  }
}
