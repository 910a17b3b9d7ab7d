package import Base

/// What is known of an answer besides its body, as far as a replay or a follower needs it.
package struct AnswerHead: Equatable, Sendable {
  package var status: Int
  /// Value of Content-Type.
  package var contentType: [UInt8]
  /// Field lines that were forwarded from the provider, each with its CRLF, without the content type.
  package var fields: [UInt8]
  /// The provider that answered: index in the configuration, and its name for the time after a reload.
  package var provider: Int
  package var providerName: String
  /// The body is an event stream.
  package var isStream: Bool

  package init(
    status: Int, contentType: [UInt8], fields: [UInt8], provider: Int, providerName: String, isStream: Bool
  ) {
    self.status = status
    self.contentType = contentType
    self.fields = fields
    self.provider = provider
    self.providerName = providerName
    self.isStream = isStream
  }
}

/// Tokens that an answer told, where it did.
package struct AnswerUsage: Hashable, Sendable {
  package var input: Quantity?
  package var output: Quantity?
  package init(input: Quantity? = nil, output: Quantity? = nil) {
    self.input = input
    self.output = output
  }
}

/// A complete answer that can be replayed. Nothing of it changes any more.
///
/// A replay holds a reference, so that it goes on when the cache drops the entry meanwhile; the bytes stay
/// counted in the cache's meter until the last reference is gone.
package final class CachedAnswer {
  package let head: AnswerHead
  package let usage: AnswerUsage
  package let storedAt: Instant
  /// The cache's, when it was stored.
  let era: UInt32
  /// Whole and sealed.
  package private(set) var recording: Recording
  private let meter: MemoryMeter
  private let cost: Int

  /// The object, its arrays' headers and malloc's headers.
  private static let fixedCost = 320

  init(
    head: AnswerHead, usage: AnswerUsage, recording: Recording, storedAt: Instant, era: UInt32,
    meter: MemoryMeter
  ) {
    self.head = head
    self.usage = usage
    self.recording = recording
    self.storedAt = storedAt
    self.era = era
    self.meter = meter
    cost = Self.cost(of: head)
    meter.takeAnyway(cost)
    recording.move(to: meter)
  }

  deinit { meter.give(cost) }

  static func cost(of head: AnswerHead) -> Int {
    fixedCost + head.contentType.count + head.fields.count + head.providerName.utf8.count
  }

  /// Somebody reads the bytes, so that dropping the entry would free nothing.
  func isBeingRead() -> Bool { !isKnownUniquelyReferenced(&recording) }

  package func age(at now: Instant) -> Interval { max(.zero, now - storedAt) }
}
