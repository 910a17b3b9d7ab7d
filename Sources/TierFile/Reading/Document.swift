internal import Base
internal import CYAML

/// One YAML document as a tree, built from libyaml's events: the only place that calls libyaml.
///
/// Bounded in bytes, depth and nodes; a node behind an alias counts each time it is used, so that a small file
/// cannot unfold into a large one. The first fault ends it: what follows a syntax error is guesswork.
struct Document {
  private enum Step {
    case node(Node)
    case end
  }
  // Lifetime: both belong to `parse`, which outlives the document.
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let input: UnsafeBufferPointer<UInt8>
  /// The latest node of each anchor's name; nil while it is still being read, since an alias to it then
  /// would be endless.
  private var anchors: [String: Node?] = [:]
  private var nodes = 0

  /// The tree of `bytes`, nil in it where the file holds nothing.
  static func parse(_ bytes: Span<UInt8>) throws(Fault) -> Node? {
    if bytes.count > Limits.tierFile {
      throw Fault(Problem(.error, at: Mark(line: 1, column: 1), "the file is larger than 1 MiB"))
    }
    // Lifetime: libyaml keeps pointers to its own parser struct and to the input; both outlive every call
    // made here, and the parser is deleted before either goes.
    let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    defer { parser.deallocate() }
    guard yaml_parser_initialize(parser) == 1 else {
      throw Fault(Problem(.error, at: Mark(line: 1, column: 1), "out of memory"))
    }
    defer { yaml_parser_delete(parser) }
    return try bytes.withUnsafeBufferPointer { input throws(Fault) in
      yaml_parser_set_input_string(parser, input.baseAddress, input.count)
      var document = Document(parser: parser, input: input)
      return try document.only()
    }
  }

  /// The first thing that is wrong with the file's form.
  struct Fault: Error {
    var problem: Problem
    init(_ problem: Problem) { self.problem = problem }
  }

  private init(parser: UnsafeMutablePointer<yaml_parser_t>, input: UnsafeBufferPointer<UInt8>) {
    self.parser = parser
    self.input = input
  }

  /// The root of the one document that the stream may hold.
  private mutating func only() throws(Fault) -> Node? {
    var root: Node?
    var isFirst = true
    while true {
      var event = try next()
      // Lifetime: what the event points to is freed here; texts have been copied by then.
      defer { yaml_event_delete(&event) }
      switch event.type {
      case YAML_STREAM_END_EVENT: return root
      case YAML_DOCUMENT_START_EVENT:
        if !isFirst { throw fault(at: event.start_mark, "a second document starts here; one is allowed") }
        isFirst = false
        switch try step(depth: 1) {
        case .node(let node): root = node
        case .end: break
        }
      default: break
      }
    }
  }

  /// Reads one node, or the end of the collection around it.
  private mutating func step(depth: Int) throws(Fault) -> Step {
    var event = try next()
    // Lifetime: as in `only()`.
    defer { yaml_event_delete(&event) }
    let mark = Mark(event.start_mark)
    switch event.type {
    case YAML_ALIAS_EVENT:
      return .node(try resolve(Self.text(event.data.alias.anchor), at: event.start_mark, depth: depth))
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let anchor = open(scalar.anchor)
      try count(1, at: event.start_mark)
      let text = Self.text(scalar.value, count: scalar.length)
      let node = Node(
        mark: mark, content: .scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE),
        size: 1, height: 1)
      close(anchor, node)
      return .node(node)
    case YAML_SEQUENCE_START_EVENT:
      let anchor = open(event.data.sequence_start.anchor)
      try enter(depth, at: event.start_mark)
      try count(1, at: event.start_mark)
      let node = try list(at: mark, depth: depth)
      close(anchor, node)
      return .node(node)
    case YAML_MAPPING_START_EVENT:
      let anchor = open(event.data.mapping_start.anchor)
      try enter(depth, at: event.start_mark)
      try count(1, at: event.start_mark)
      let node = try map(at: mark, depth: depth)
      close(anchor, node)
      return .node(node)
    default: return .end
    }
  }

  private mutating func list(at mark: Mark, depth: Int) throws(Fault) -> Node {
    var items: [Node] = []
    var size = 1
    var height = 0
    while case .node(let item) = try step(depth: depth + 1) {
      items.append(item)
      size += item.size
      height = max(height, item.height)
    }
    return Node(mark: mark, content: .list(items), size: size, height: height + 1)
  }

  private mutating func map(at mark: Mark, depth: Int) throws(Fault) -> Node {
    var entries: [Node.Entry] = []
    var places: [String: Mark] = [:]
    var merged: [Node] = []
    var size = 1
    var height = 0
    while case .node(let key) = try step(depth: depth + 1) {
      guard case .scalar(let name, let isPlain) = key.content else {
        throw Fault(Problem(.error, at: key.mark, "a key must be a text, this is \(key.kind)"))
      }
      guard case .node(let value) = try step(depth: depth + 1) else { break }
      size += 1 + value.size
      height = max(height, value.height)
      if isPlain, name == "<<" {
        merged.append(value)
        continue
      }
      if let first = places[name] {
        throw Fault(
          Problem(
            .error, at: key.mark,
            "the key \"\(Spelling.excerpt(name))\" stands twice, first in line \(first.line)"))
      }
      places[name] = key.mark
      entries.append(Node.Entry(key: name, mark: key.mark, value: value))
    }
    for source in merged { try merge(source, into: &entries, places: &places) }
    return Node(mark: mark, content: .map(entries), size: size, height: height + 1)
  }

  /// YAML's merge key `<<`: adds what the map does not say itself. Its nodes have been counted already.
  private func merge(_ source: Node, into entries: inout [Node.Entry], places: inout [String: Mark])
    throws(Fault)
  {
    switch source.content {
    case .map(let more):
      for entry in more where places[entry.key] == nil {
        places[entry.key] = entry.mark
        entries.append(entry)
      }
    case .list(let sources):
      for source in sources { try merge(source, into: &entries, places: &places) }
    case .scalar:
      throw Fault(Problem(.error, at: source.mark, "`<<` merges a map, this is a single value"))
    }
  }

  // MARK: - Bounds and anchors

  private func enter(_ depth: Int, at mark: yaml_mark_t) throws(Fault) {
    if depth > Limits.tierFileDepth {
      throw fault(at: mark, "nested deeper than \(Limits.tierFileDepth) levels")
    }
  }

  private mutating func count(_ more: Int, at mark: yaml_mark_t) throws(Fault) {
    nodes += more
    if nodes > Limits.tierFileNodes {
      throw fault(at: mark, "more than \(Limits.tierFileNodes) values, with what the aliases stand for")
    }
  }

  private mutating func open(_ name: UnsafePointer<yaml_char_t>?) -> String? {
    guard let name else { return nil }
    let anchor = Self.text(name)
    anchors.updateValue(nil, forKey: anchor)
    return anchor
  }

  private mutating func close(_ anchor: String?, _ node: Node) {
    if let anchor { anchors.updateValue(node, forKey: anchor) }
  }

  /// The node that an alias stands for: the latest anchor of that name.
  private mutating func resolve(_ name: String, at mark: yaml_mark_t, depth: Int) throws(Fault) -> Node {
    guard let anchor = anchors[name] else {
      throw fault(at: mark, "no anchor of this name stands before this alias")
    }
    guard let node = anchor else { throw fault(at: mark, "an alias to a value that it is part of") }
    try count(node.size, at: mark)
    try enter(depth + node.height - 1, at: mark)
    return node
  }

  // MARK: - libyaml

  private func next() throws(Fault) -> yaml_event_t {
    var event = yaml_event_t()
    if yaml_parser_parse(parser, &event) == 1 { return event }
    throw fault()
  }

  /// libyaml's own message, at the place that it names.
  private func fault() -> Fault {
    let problem = parser.pointee.problem.map { String(cString: $0) } ?? "cannot be read"
    switch parser.pointee.error {
    case YAML_MEMORY_ERROR: return fault(at: parser.pointee.mark, "out of memory")
    case YAML_READER_ERROR:
      // The mark is where parsing stands, a block behind; the offset is where the byte stands.
      return Fault(Problem(.error, at: place(ofByte: parser.pointee.problem_offset), problem))
    default: break
    }
    let context = parser.pointee.context.map { String(cString: $0) + ": " } ?? ""
    var fault = fault(at: parser.pointee.problem_mark, context + problem)
    // Behind a last line without an end libyaml counts one more.
    fault.problem.mark = min(fault.problem.mark, place(ofByte: input.count))
    if problem == "found character that cannot start any token" {
      fault.problem.hint = "indent with blanks, not tabs; put a text that begins with @, ` or % in quotes"
    } else if context.hasPrefix("while parsing a flow") {
      fault.problem.hint = "inside { } and [ ], put \"${NAME}\" and texts with : or , in quotes"
    }
    return fault
  }

  private func fault(at mark: yaml_mark_t, _ message: String) -> Fault {
    Fault(Problem(.error, at: Mark(mark), message))
  }

  /// Line and column of a byte, lines as YAML 1.1 ends them (also by NEL, LS and PS).
  private func place(ofByte offset: Int) -> Mark {
    var mark = Mark(line: 1, column: 1)
    var at = 0
    while at < min(offset, input.count) {
      let byte = input[at]
      let isReturn = byte == 13 && !(at + 1 < input.count && input[at + 1] == 10)
      let isNEL = byte == 0x85 && at > 0 && input[at - 1] == 0xC2
      let isSeparator = byte & 0xFE == 0xA8 && at > 1 && input[at - 1] == 0x80 && input[at - 2] == 0xE2
      if byte == 10 || isReturn || isNEL || isSeparator {
        mark = Mark(line: mark.line + 1, column: 1)
      } else if byte & 0xC0 != 0x80 {
        mark.column += 1
      }
      at += 1
    }
    return mark
  }

  private static func text(_ start: UnsafePointer<yaml_char_t>?) -> String {
    start.map { String(cString: $0) } ?? ""
  }

  private static func text(_ start: UnsafePointer<yaml_char_t>?, count: Int) -> String {
    String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  }
}

extension Mark {
  init(_ mark: yaml_mark_t) { self.init(line: Int(mark.line) + 1, column: Int(mark.column) + 1) }
}
