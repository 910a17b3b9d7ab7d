internal import Base
internal import Policy

/// Something that a provider cannot do without, and that is not there: its key, or its account's name.
struct Absence {
  var mark: Mark
  /// The key of the file that names it: `providers.groq.key`.
  var path: String
  /// `GROQ_API_KEY is not set`. Goes to status pages as well: holds no value of the environment's.
  var reason: String
  var remedy: String?
  /// The text is there and says nothing, as `${NAME:-}` does.
  var isEmptyText = false
}

/// What looking for such a thing comes to.
enum Finding<Value> {
  case found(Value)
  case absent(Absence)
  /// It is there and cannot be used; that has been reported.
  case wrong
}

extension Reader {
  /// A text whose variables may be unset.
  mutating func find(_ node: Node, _ path: String) -> Finding<String> {
    guard let raw = raw(node, path) else { return .wrong }
    do throws(Interpolation.Fault) {
      let text = try Interpolation.resolve(raw, in: environment)
      if !text.isEmpty { return .found(text) }
      return .absent(
        Absence(mark: node.mark, path: path, reason: whyEmpty(raw), remedy: Self.setIt, isEmptyText: true))
    } catch {
      guard case .unset(let name) = error else {
        report(error, at: node.mark, path)
        return .wrong
      }
      return .absent(Absence(mark: node.mark, path: path, reason: unset(name), remedy: Self.setIt))
    }
  }

  /// A key or token: its own text, a `${…}`, or the name of a variable. Never quoted in a message.
  mutating func find(secret node: Node, _ path: String) -> Finding<Secret> {
    guard let raw = raw(node, path) else { return .wrong }
    let finding: Finding<String>
    if !Interpolation.isVariableName(raw) {
      finding = find(node, path)
    } else if let value = environment[raw], !value.isEmpty {
      finding = .found(value)
    } else {
      finding = .absent(
        Absence(
          mark: node.mark, path: path, reason: environment[raw] == nil ? unset(raw) : isEmpty(raw),
          remedy: "a key written like a variable's name means that variable"))
    }
    switch finding {
    case .found(let text): return checked(secret: text, at: node.mark, path).map { .found($0) } ?? .wrong
    case .absent(let absence): return .absent(absence)
    case .wrong: return .wrong
    }
  }

  /// The secret in a file, without the line end that editors leave.
  mutating func find(secretFile node: Node, _ path: String) -> Finding<Secret> {
    let name: String
    switch find(node, path) {
    case .found(let text): name = text
    case .absent(let absence): return .absent(absence)
    case .wrong: return .wrong
    }
    func absent(_ reason: String) -> Finding<Secret> {
      .absent(
        Absence(
          mark: node.mark, path: path, reason: "the file \(quote(node)) \(reason)",
          remedy: "it has to hold the key, and nothing else"))
    }
    let bytes: [UInt8]
    do throws(File.Fault) {
      bytes = try File.read(File.path(name, besides: file), atMost: Limits.keyFile)
    } catch {
      switch error {
      case .cannotRead(let reason): return absent("cannot be read: \(reason)")
      case .tooLarge:
        self.error(node.mark, "\(label(path)): the file is larger than 64 KiB")
        return .wrong
      }
    }
    var end = bytes.count
    while end > 0, bytes[end - 1] == 10 || bytes[end - 1] == 13 { end -= 1 }
    if end == 0 { return absent("is empty") }
    let text = String(decoding: bytes[..<end], as: UTF8.self)
    return checked(secret: text, at: node.mark, path).map { .found($0) } ?? .wrong
  }

  private mutating func checked(secret: String, at mark: Mark, _ path: String) -> Secret? {
    if secret.utf8.contains(where: { $0 <= 32 || $0 >= 127 }) {
      error(mark, "\(label(path)) holds a blank or a character that cannot stand in a header")
      return nil
    }
    return Secret(secret)
  }

  /// A key or token that nothing can do without.
  mutating func secret(_ node: Node, _ path: String) -> Secret? { needed(find(secret: node, path)) }

  mutating func secretFile(_ node: Node, _ path: String) -> Secret? { needed(find(secretFile: node, path)) }

  private mutating func needed(_ finding: Finding<Secret>) -> Secret? {
    switch finding {
    case .found(let secret): return secret
    case .absent(let absence): if !readsOnlyAddresses { report(absence) }
    case .wrong: break
    }
    return nil
  }

  mutating func report(_ absence: Absence) {
    error(absence.mark, "\(label(absence.path)): \(absence.reason)", hint: absence.remedy)
  }

  /// Leaves a provider out for want of something, with the names of its models. What is said of it waits for
  /// `settleAbsences`.
  mutating func leaveOut(_ provider: Provider, _ absences: [Absence]) {
    var reason = ""
    for absence in absences { reason += (reason.isEmpty ? "" : ", ") + absence.reason }
    configuration.disabledProviders.append(
      DisabledProvider(name: provider.name, reason: reason, models: provider.models.map { $0.name }))
    leftOut.append(provider)
    self.absences.append(absences)
  }

  /// Warnings where another provider remains, errors where none does: of many free tiers one that is missing must
  /// not keep the rest from starting, and a file that comes to nothing is a mistake.
  mutating func settleAbsences() {
    for (provider, absences) in zip(leftOut, absences) {
      if configuration.providers.isEmpty {
        for absence in absences { report(absence) }
      } else if let first = absences.first {
        let reason =
          configuration.disabledProviders.first { $0.name == provider.name }?.reason ?? first.reason
        warn(
          first.mark, "\(label("providers.\(provider.name)")) is left out: \(reason)", hint: first.remedy)
      }
    }
  }

  private static let setIt = "set it in the environment of synaxis"

  private func unset(_ name: String) -> String { "\(Spelling.excerpt(name)) is not set" }

  private func isEmpty(_ name: String) -> String { "\(Spelling.excerpt(name)) is empty" }

  /// Why a text came to nothing: the variable that it is made of.
  private func whyEmpty(_ raw: String) -> String {
    guard let name = Interpolation.firstVariable(in: raw) else { return "it is empty" }
    return environment[name] == nil ? unset(name) : isEmpty(name)
  }
}
