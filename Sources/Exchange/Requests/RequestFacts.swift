package import Base

/// What the body of a request says that decides where it goes. Ranges are offsets in the body.
package struct RequestFacts: Sendable {
  package enum Form: Sendable { case json, multipart }
  package var form: Form
  /// The value of `model` as it stands in the body: with its quotes in JSON.
  package var modelRange: Range<Int>
  /// The name itself, escapes decoded.
  package var model: [UInt8]
  /// The client asked for an event stream.
  package var wantsStream: Bool
  package var temperature: Double?
  /// One choice is asked for, so that its end is the answer's.
  package var wantsOneChoice = true
  /// A guess of the tokens it will cost, until the answer tells: a quarter of the body's bytes, and what it
  /// allows the answer to have.
  package var estimatedTokens: Quantity
  /// Those of them that it allows the answer; 0 where it does not say.
  package var answerTokens: Quantity = 0

  /// Those of a request that names no model.
  package static var none: RequestFacts {
    RequestFacts(form: .json, modelRange: 0..<0, model: [], wantsStream: false, estimatedTokens: 0)
  }
}

extension RequestFacts {
  /// Of a request without a body: all that it says is whom it is for.
  package init(model: [UInt8]) {
    self.init(form: .json, modelRange: 0..<0, model: model, wantsStream: false, estimatedTokens: 0)
  }
}
