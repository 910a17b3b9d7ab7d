package import Base
internal import Policy

/// Why a request could not be served, in sentences for people: one for each provider that failed or that is left
/// alone, with what it said and when it is tried again, and then what can be done about it.
package struct CauseText {
  private let record: ExchangeRecord
  private let now: Instant

  package init(_ record: ExchangeRecord, now: Instant) {
    self.record = record
    self.now = now
  }

  /// There is something to tell: an attempt failed, or none could be made.
  package static func isNeeded(_ exchange: borrowing Exchange) -> Bool {
    hasFailures(exchange) || wasLeftWithoutAny(exchange.ending)
  }

  private static func hasFailures(_ exchange: borrowing Exchange) -> Bool {
    for index in exchange.attempts.indices where exchange.attempts[index].saysWhy { return true }
    return false
  }

  /// No candidate was left: what could not be tried is part of the reason.
  private static func wasLeftWithoutAny(_ ending: Ending?) -> Bool {
    guard case .failed(let error)? = ending else { return false }
    return error.row.side == .upstream
  }

  /// The attempts that failed: `a failed (500: boom). b rejected its key (401); next try in 59 min.` Returns whether
  /// there are any.
  private func writeAttempts(into out: inout ByteBuffer) -> Bool {
    var count = 0
    for attempt in record.attempts where attempt.saysWhy {
      guard let fault = attempt.fault else { continue }
      if count > 0 { out.append(" ") }
      count += 1
      out.append(record.providers[attempt.choice.provider].name)
      out.append(" ")
      Cause(fault, status: attempt.status, words: attempt.words).write(into: &out)
      writeNext(attempt.consequence?.until, into: &out)
    }
    return count > 0
  }

  /// Those that could not be tried now, in the same form. Returns whether there are any.
  private func writeObstructions(into out: inout ByteBuffer) -> Bool {
    var isFirst = true
    let found = obstructions
    for obstruction in found.prefix(Limits.namesInMessage) {
      if !isFirst { out.append(" ") }
      isFirst = false
      out.append(record.providers[obstruction.provider].name)
      out.append(" ")
      out.append(obstruction.text)
      writeNext(obstruction.until, into: &out)
    }
    if found.count > Limits.namesInMessage {
      out.append(" And ")
      out.append(decimal: found.count - Limits.namesInMessage)
      out.append(" more.")
    }
    return !isFirst
  }

  /// Everything that stood in the way: what was tried, and where nothing was left, what could not be.
  func write(into out: inout ByteBuffer) {
    let hasAttempts = writeAttempts(into: &out)
    guard Self.wasLeftWithoutAny(record.ending) else { return }
    let length = out.count
    if hasAttempts { out.append(" ") }
    if !writeObstructions(into: &out) { out.truncate(to: length) }
  }

  /// The same by itself.
  package var text: [UInt8] {
    var text = ByteBuffer()
    write(into: &text)
    return text.withBytes { $0.array }
  }

  /// What the operator can do, once for each provider and kind of fault.
  func writeRemedies(into out: inout ByteBuffer) {
    var told: [(provider: Int, remedy: UnsafePointer<UInt8>)] = []
    func tell(_ provider: Int, _ fault: Fault?, _ out: inout ByteBuffer) {
      guard let remedy = fault?.remedy, told.count < Limits.namesInMessage,
        !told.contains(where: { $0.provider == provider && $0.remedy == remedy.utf8Start })
      else { return }
      told.append((provider, remedy.utf8Start))
      out.append(" At ")
      out.append(record.providers[provider].name)
      out.append(": ")
      out.append(remedy)
      out.append(".")
    }
    for attempt in record.attempts where attempt.saysWhy {
      tell(attempt.choice.provider, attempt.fault, &out)
    }
    for obstruction in obstructions { tell(obstruction.provider, obstruction.fault, &out) }
  }

  /// Candidates at providers that were not tried.
  private var obstructions: [Obstruction] {
    guard let question = record.question else { return [] }
    let all = record.health.obstructions(of: question, now: now)
    return all.filter { obstruction in
      !record.attempts.contains { $0.saysWhy && $0.choice.provider == obstruction.provider }
    }
  }

  private func writeNext(_ until: Instant?, into out: inout ByteBuffer) {
    if let until, until > now {
      out.append("; next try in ")
      out.append(span: until - now)
    }
    out.append(".")
  }
}

extension Attempt {
  /// It failed, and not because another one won its race, we had no room, or its client left.
  fileprivate var saysWhy: Bool {
    fault.map { !$0.isUnasked && $0 != .clientGone } ?? false
  }
}
