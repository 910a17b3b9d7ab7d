internal import Base
internal import HTTP2

/// What makes a client's connection carry streams: its HTTP/2 session, and who rides on it.
///
/// Each request is a `Connection` of its own, with a `Lane` in the place of a socket: whoever reads and answers requests
/// need not know what is below.
final class Carriage {
  let session: HTTP2Session
  /// Streams whose requests are read or answered, few enough to be looked through.
  private(set) var streams: [(stream: Int32, id: SlotID)] = []
  /// Those of them that have something to send.
  var sending: [SlotID] = []
  /// Something may be to be sent when the turn is over.
  var isSoiled = false
  /// Further streams have been refused: the connection ends with the last one.
  var isEnding = false
  private var noiseBegan = Instant.distantPast
  private var resets = 0
  private var idleFrames = 0

  init(_ session: HTTP2Session) { self.session = session }

  func add(_ stream: Int32, _ id: SlotID) { streams.append((stream, id)) }

  func remove(_ stream: Int32) {
    guard let at = streams.firstIndex(where: { $0.stream == stream }) else { return }
    streams.swapAt(at, streams.count - 1)
    streams.removeLast()
  }

  subscript(stream: Int32) -> SlotID? {
    for place in streams where place.stream == stream { return place.id }
    return nil
  }

  /// The client gives up more streams, or sends more frames that bring nothing, than any client has use for; or it asks
  /// for more than it reads.
  func isNoisy(now: Instant) -> Bool {
    if session.waitingFrames > Limits.waitingFrames { return true }
    let noise = session.takeNoise()
    if noise.resets == 0, noise.idleFrames == 0 { return false }
    if now - noiseBegan >= Limits.noiseWindow {
      noiseBegan = now
      resets = 0
      idleFrames = 0
    }
    resets += noise.resets
    idleFrames += noise.idleFrames
    return resets > Limits.streamResets || idleFrames > Limits.idleFrames
  }
}
