internal import Base

/// What a provider said it does not have, and until when it is believed: an endpoint, one model of it at an
/// endpoint, or a name that its `"*"` passed on.
struct Lack {
  let provider: HealthStore.ProviderState
  /// nil: every candidate of the provider.
  var candidate: HealthStore.CandidateState?
  /// Of the name that a wildcard passed on; 0 for other candidates.
  var nameHash: UInt64 = 0
  /// nil: every endpoint.
  var endpoint: UInt8?
  var until = Instant.distantPast
  /// What was said.
  var cause: Cause?

  func covers(
    _ candidate: HealthStore.CandidateState, of provider: HealthStore.ProviderState, nameHash: UInt64,
    endpoint: UInt8
  ) -> Bool {
    self.provider === provider && (self.endpoint ?? endpoint) == endpoint
      && (self.candidate == nil || (self.candidate === candidate && self.nameHash == nameHash))
  }

  /// Of the same thing, whatever the time.
  func isSame(as other: Lack) -> Bool {
    provider === other.provider && candidate === other.candidate && nameHash == other.nameHash
      && endpoint == other.endpoint
  }
}

extension HealthStore {
  /// A model that is missing: the candidate is left alone, or the one name of a `"*"`. Where the list of models is
  /// not ours to know (a `"*"`, a local server) it may be there soon.
  func coolCandidate(_ fault: Fault, _ slot: Slot, now: Instant) -> Consequence {
    let isWildcard = catalog.candidates[slot.candidate].isWildcard
    let isListed = !isWildcard && !catalog.providers[slot.provider].isLocal
    let until = now + (isListed ? Limits.modelCooldown : Limits.unlistedModelCooldown)
    if isWildcard {
      let lack = Lack(
        provider: providers[slot.provider], candidate: candidates[slot.candidate], nameHash: slot.nameHash,
        until: until)
      return Consequence(scope: .candidate, until: until, isNew: note(lack, now: now))
    }
    let isNew = candidates[slot.candidate].cooldown.extend(until: until, for: fault, now: now)
    return Consequence(scope: .candidate, until: candidates[slot.candidate].cooldown.until, isNew: isNew)
  }

  /// An endpoint that is missing. One at which the provider has answered well is there: then it is this model that
  /// does not have it, whatever the answer says.
  func coolEndpoint(_ fault: Fault, _ slot: Slot, now: Instant) -> Consequence {
    let isThere = providers[slot.provider].endpoints & 1 << UInt64(slot.endpoint) != 0
    var lack = Lack(provider: providers[slot.provider], endpoint: slot.endpoint)
    lack.until = now + Limits.endpointCooldown
    if isThere || fault == .modelLacksEndpoint {
      lack.candidate = candidates[slot.candidate]
      lack.nameHash = catalog.candidates[slot.candidate].isWildcard ? slot.nameHash : 0
    }
    return Consequence(scope: .endpoint, until: lack.until, isNew: note(lack, now: now))
  }

  /// Remembers a lack, in the place of the one that ends soonest where all are taken: what clients ask for does
  /// not make the table grow. True if it was not known.
  private func note(_ lack: Lack, now: Instant) -> Bool {
    for n in memory.lacks.indices where memory.lacks[n].isSame(as: lack) {
      let isNew = memory.lacks[n].until <= now
      memory.lacks[n].until = max(memory.lacks[n].until, lack.until)
      return isNew
    }
    if memory.lacks.count < Limits.lacks {
      memory.lacks.append(lack)
      return true
    }
    var soonest = 0
    for n in memory.lacks.indices where memory.lacks[n].until < memory.lacks[soonest].until { soonest = n }
    memory.lacks[soonest] = lack
    return true
  }
}
