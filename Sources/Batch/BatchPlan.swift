internal import Base
internal import Kernel
internal import Wire

/// Both files checked, line by line: what there is to do, and what is wrong.
struct BatchPlan: ~Copyable {
  private(set) var index = LineIndex()
  var totals = BatchTotals()
  /// Where the output's last whole line ends.
  private(set) var outputEnd: Int64 = 0
  /// `FILE:LINE:COLUMN: error: …`, a line each, at most `Limits.batchMistakes`.
  private(set) var report = ByteBuffer()
  private(set) var mistakes = 0
  private var probe = JSONProbe()
  private var answer = AnswerProbe()

  mutating func readInput(_ file: Int32, name: String) throws(BatchFault) {
    var lines = LineReader(file)
    while let place = try lines.next() {
      var mistake: BatchItem.Mistake?
      lines.withLine(place) { line in
        do throws(BatchItem.Mistake) {
          let item = try BatchItem(line, &probe)
          if !index.insert(item.key) {
            mistake = BatchItem.Mistake(
              offset: item.name.lowerBound, text: "another line has this `custom_id` too")
          }
        } catch {
          mistake = error
        }
      }
      if let mistake { add(mistake, name, place.number) }
    }
    totals.lines = index.count
    if index.count == 0, mistakes == 0 {
      add(BatchItem.Mistake(offset: 0, text: "there is no line in it"), name, 1)
    }
  }

  mutating func readOutput(_ file: Int32, name: String) throws(BatchFault) {
    var lines = LineReader(file)
    while let place = try lines.next() {
      // The last line of a run that was killed.
      if !lines.isWhole { break }
      var mistake: BatchItem.Mistake?
      lines.withLine(place) { line in
        do throws(BatchItem.Mistake) { try note(line) } catch { mistake = error }
      }
      if let mistake { add(mistake, name, place.number) }
      outputEnd = lines.position
    }
    totals.answered = index.answered
  }

  /// Takes in one line of the output.
  private mutating func note(_ line: Span<UInt8>) throws(BatchItem.Mistake) {
    try BatchItem.scan(line, &probe)
    let name = try BatchItem.string("custom_id", line, probe, "`custom_id` is missing, or is no string")
    switch index.mark(BatchItem.key(line, name)) {
    case .marked: break
    case .unknown:
      throw BatchItem.Mistake(
        offset: name.lowerBound,
        text: "the input has no line of this `custom_id`: is it another file's output?")
    case .twice:
      throw BatchItem.Mistake(offset: name.lowerBound, text: "another line has this `custom_id` too")
    }
    guard let response = probe.value(of: "response", in: line), response.kind == .object,
      let told = line.jsonMember("status_code", in: response), let status = line.jsonQuantity(told)
    else {
      throw BatchItem.Mistake(offset: 0, text: "`response.status_code` is missing")
    }
    if !(200..<300).contains(status.value) { totals.refused += 1 }
    if let body = line.jsonMember("body", in: response), body.kind == .object {
      answer.read(line.extracting(body.value))
      totals.count(answer.usage)
    }
  }

  /// A line has got its answer, and it stands in the output.
  mutating func count(_ key: Fingerprint, status: Int, usage: TokenUsage) {
    _ = index.mark(key)
    totals.answered = index.answered
    totals.now += 1
    if !(200..<300).contains(status) { totals.refused += 1 }
    totals.count(usage)
  }

  private mutating func add(_ mistake: BatchItem.Mistake, _ name: String, _ number: Int) {
    mistakes += 1
    guard mistakes <= Limits.batchMistakes else { return }
    report.append(name)
    report.append(":")
    report.append(decimal: number)
    report.append(":")
    report.append(decimal: mistake.offset + 1)
    report.append(": error: ")
    report.append(mistake.text)
    report.append("\n")
  }
}
