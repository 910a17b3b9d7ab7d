internal import CNghttp2

/// Where the frames of a server's sessions are made, one at a time: 16 KiB that each would otherwise have for itself. Who
/// has got bytes from one session's `output` copies them before it asks another.
package final class FrameDesk {
  // Lifetime: made in init, freed in deinit; sessions keep their desk. nil: memory is out.
  let room = ch2_desk_new()

  package init() {}

  deinit { ch2_desk_delete(room) }
}
