internal import Base

/// Where a request would rather go than elsewhere, or has to.
struct Bearings {
  /// Its conversation's, which the router prefers.
  var home: Homes.Home?
  /// Place in `keys` of the one that made the response which the request asks for or continues: no other knows it.
  var maker: Int?
  /// Who made that is not known: each key of each provider is asked, once.
  var asksEveryKey = false
  /// It asks for no model.
  var isAboutNoModel = false
  /// Of the tokens that it may cost, those that it allows the answer.
  var answerTokens: Quantity = 0
}
