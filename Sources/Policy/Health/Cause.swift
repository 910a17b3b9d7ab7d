package import Base

/// A fault with what was said with it, for people: kept with the cooldown that it brought, so that whoever asks
/// later is told as well.
package struct Cause: Equatable, Sendable {
  package var fault: Fault
  /// Of the provider's answer; 0 where none came.
  package var status: Int
  /// The provider's own words, or those of the way to it: fit to be shown, at most `Limits.errorMessage` bytes.
  package var words: [UInt8]

  package init(_ fault: Fault, status: Int = 0, words: [UInt8] = []) {
    self.fault = fault
    self.status = status
    self.words = words
  }

  /// `rejected its key (401: Incorrect API key provided)`: what follows a provider's name.
  package func write(into out: inout ByteBuffer) {
    out.append(fault.phrase)
    if status < 300, words.isEmpty { return }
    out.append(" (")
    // The titles of proxies' pages begin with it.
    if status >= 300, words.span.extracting(0..<min(words.count, 3)).decimal != Int64(status) {
      out.append(decimal: status)
      if !words.isEmpty { out.append(": ") }
    }
    let isSentence = words.last == UInt8(ascii: ".") && words.dropLast().last != UInt8(ascii: ".")
    out.append(words.span.extracting(0..<words.count - (isSentence ? 1 : 0)))
    out.append(")")
  }

  package var text: String {
    var out = ByteBuffer()
    write(into: &out)
    return out.withBytes { $0.text }
  }
}

/// Why a candidate cannot be tried now, and when it can.
package struct Obstruction: Equatable, Sendable {
  /// Index in `Catalog.providers`.
  package var provider: Int
  /// nil: nobody knows.
  package var until: Instant?
  /// What follows the provider's name.
  package var text: String
  /// Of what the operator can mend.
  package var fault: Fault?
}

extension HealthStore {
  /// Those of a route's candidates that cannot be tried now, in their order; where two have the same to say, once.
  package func obstructions(of request: RouteRequest, now: Instant) -> [Obstruction] {
    let route = request.route
    let bearings = bearings(of: request, now: now)
    var found: [Obstruction] = []
    for n in 0..<route.count {
      let id = catalog.candidate(n, of: route)
      let availability = availability(
        of: id, nameHash: route.nameHash, endpoint: request.endpoint,
        tokens: max(1, request.estimatedTokens), history: AttemptHistory(), bearings: bearings, now: now)
      guard availability.due > now, availability.obstacle != .notTheMaker else { continue }
      let provider = catalog.candidates[id.index].provider
      let lack = memory.lacks.first {
        $0.until == availability.due
          && $0.covers(
            candidates[id.index], of: providers[provider], nameHash: route.nameHash,
            endpoint: request.endpoint)
      }
      let cause = cause(availability, provider: provider, candidate: id, lack: lack)
      let text = cause?.text ?? words(availability)
      if found.contains(where: { $0.provider == provider && $0.text == text }) { continue }
      found.append(
        Obstruction(
          provider: provider, until: availability.due == .distantFuture ? nil : availability.due, text: text,
          fault: cause?.fault))
    }
    return found
  }

  /// The fault behind what stands in the way; nil where it is no fault.
  func cause(
    _ availability: Availability, provider: Int, candidate: CandidateID? = nil, lack: Lack? = nil
  ) -> Cause? {
    let key = keyPlaces[provider].lowerBound + availability.key
    switch availability.obstacle {
    case nil, .probing, .notTheMaker, .spent, .account(.concurrency), .account(.ownBudget),
      .account(.learnedQuota):
      return nil
    case .breaker:
      guard let fault = providers[provider].breaker.fault else { return nil }
      let failure = providers[provider].failure
      return failure?.fault == fault ? failure : Cause(fault)
    case .endpoint: return lack?.cause ?? Cause(.endpointMissing)
    case .model:
      if let cause = lack?.cause { return cause }
      return candidate.flatMap { candidates[$0.index].cooldown.cause } ?? Cause(.modelMissing)
    case .keyRejected, .noKeyLeft: return keys[key].cooldown.cause ?? Cause(.keyRejected)
    case .account(.cooling): return accounts[key].cooldown.cause
    }
  }

  /// What stands in the way where that is no fault, or none that is known.
  func words(_ availability: Availability) -> String {
    switch availability.obstacle {
    case .probing: "is being tried by another request"
    case .account(.concurrency): "has as many requests as its `concurrent` allows"
    case .account(.ownBudget): "has used up what its `rpm`, `rpd`, `tpm` or `tpd` allows"
    case .account(.learnedQuota): "has used up its quota, as its answers said"
    case .spent: "has spent what its `spend.day` allows until midnight UTC"
    case .notTheMaker: "did not make that response"
    case nil, .breaker, .model, .endpoint, .keyRejected, .noKeyLeft, .account(.cooling): "is left alone"
    }
  }

  /// Why a provider cannot be used now, or what ails one that can be: 1. what stands in the way, 2. its last attempt
  /// failed, 3. one of its keys was rejected, 4. a model or an endpoint that it is asked for is not there.
  func reason(of provider: Int, _ availability: Availability, now: Instant) -> String? {
    if availability.due > now {  // 1
      return cause(availability, provider: provider)?.text ?? words(availability)
    }
    if let failure = providers[provider].failure { return failure.text }  // 2
    for key in keyPlaces[provider] where keys[key].cooldown.isActive(at: now) {  // 3
      let number = key - keyPlaces[provider].lowerBound + 1
      return keys[key].cooldown.cause.map { "key \(number): \($0.text)" }
    }
    if let missing = providers[provider].missing, missing.cooldown.isActive(at: now) {  // 4
      return missing.cooldown.cause.map { "\(missing.name): \($0.text)" }
    }
    for lack in memory.lacks where lack.provider === providers[provider] && lack.until > now {
      if let cause = lack.cause { return cause.text }
    }
    return nil
  }

  /// Keeps what was said where the cooldown is that it brought.
  func remember(_ cause: Cause, _ consequence: Consequence?, of slot: Slot) {
    if cause.fault.blame == .provider { providers[slot.provider].failure = cause }
    switch consequence?.scope {
    case .account: accounts[slot.key].cooldown.note(cause)
    case .key: keys[slot.key].cooldown.note(cause)
    case .candidate, .endpoint:
      candidates[slot.candidate].cooldown.note(cause)
      providers[slot.provider].missing = candidates[slot.candidate]
      for n in memory.lacks.indices
      where memory.lacks[n].until == consequence?.until
        && memory.lacks[n].covers(
          candidates[slot.candidate], of: providers[slot.provider], nameHash: slot.nameHash,
          endpoint: slot.endpoint)
      {
        memory.lacks[n].cause = cause
      }
    case .provider, nil: break
    }
  }
}
