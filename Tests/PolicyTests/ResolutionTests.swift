import Base
import Policy
import TestSupport
import Testing

@Suite struct ResolutionTests {
  private let world = World(
    [
      provider("Groq") {
        $0.models = [
          Model(name: "llama-70b", upstreamName: "llama-3.3-70b-versatile"),
          Model(name: "both", upstreamName: "both"),
        ]
      },
      provider("deepinfra", tier: 2) {
        $0.models = [
          Model(name: "llama-70b", upstreamName: "meta-llama/Llama-3.3-70B"),
          Model(name: "meta-llama/Llama-3.1", upstreamName: "meta-llama/Llama-3.1"),
          Model(name: "shadowed", upstreamName: "x"),
        ]
        $0.models[0].context = 8_000
      },
      provider("meta-llama", tier: 1) { $0.models = [Model(name: "Llama-9", upstreamName: "l9")] },
      provider("ollama", tier: 3) {
        $0.models = []
        $0.passesAnyModel = true
      },
    ],
    aliases: [
      Alias(
        name: "fast",
        targets: [
          .init(provider: "groq", model: "llama-70b"), .init(provider: "DeepInfra", model: "llama-70b"),
          .init(provider: "groq", model: "llama-3.3-70b-versatile"),
        ]),
      Alias(name: "shadowed", targets: [.init(provider: "ollama", model: "phi")]),
      Alias(name: "gone", targets: [.init(provider: "disabled", model: "m")]),
      Alias(name: "all", targets: [.init(provider: "", model: "llama-70b")]),
    ])

  @Test func namesThatOneProviderHasAlone() {
    #expect(
      world.catalog.loneModels == [
        LoneModels(provider: "Groq", names: ["both"]),
        LoneModels(provider: "deepinfra", names: ["meta-llama/Llama-3.1"]),
        LoneModels(provider: "meta-llama", names: ["Llama-9"]),
        LoneModels(provider: "ollama", names: ["shadowed"]),
      ])
    let many = LoneModels(provider: "p", names: ["a", "b", "c"])
    #expect(many.list() == "a, b, c")
    #expect(many.list(limit: 3) == "a, b, c")
    #expect(many.list(limit: 1) == "a and 2 more")
  }

  @Test(arguments: [
    // An alias, its double target folded.
    ("fast", Route.Kind.alias, ["Groq:llama-3.3-70b-versatile", "deepinfra:meta-llama/Llama-3.3-70B"], 0),
    // An alias goes before a listed name.
    ("shadowed", .alias, ["ollama:phi"], 0),
    ("all", .alias, ["Groq:llama-3.3-70b-versatile", "deepinfra:meta-llama/Llama-3.3-70B"], 0),
    // provider/name by our name, by the provider's, and through "*".
    ("groq/llama-70b", .exact, ["Groq:llama-3.3-70b-versatile"], 0),
    ("GROQ/llama-3.3-70b-versatile", .exact, ["Groq:llama-3.3-70b-versatile"], 0),
    ("deepinfra/meta-llama/Llama-3.3-70B", .exact, ["deepinfra:meta-llama/Llama-3.3-70B"], 0),
    ("ollama/qwen/3", .exact, ["ollama:*"], 6),
    ("ollama/phi", .exact, ["ollama:phi"], 0),
    // The provider exists but does not serve it: then it is a listed name with a slash.
    ("meta-llama/Llama-3.1", .listed, ["deepinfra:meta-llama/Llama-3.1"], 0),
    ("meta-llama/Llama-9", .exact, ["meta-llama:l9"], 0),
    // Listed, by our name and by the provider's.
    ("llama-70b", .listed, ["Groq:llama-3.3-70b-versatile", "deepinfra:meta-llama/Llama-3.3-70B"], 0),
    ("meta-llama/Llama-3.3-70B", .listed, ["deepinfra:meta-llama/Llama-3.3-70B"], 0),
    // Nobody lists it: passed on. Names are case-sensitive.
    ("LLAMA-70b", .wildcard, ["ollama:*"], 9), ("gone", .wildcard, ["ollama:*"], 4),
    ("groq/", .wildcard, ["ollama:*"], 5), ("/x", .wildcard, ["ollama:*"], 2),
  ])
  func resolves(_ name: String, _ kind: Route.Kind, _ expected: [String], _ passed: Int) throws {
    let route = try #require(world.route(name))
    #expect(route.kind == kind)
    let found = (0..<route.count).map { n in
      let candidate = world.catalog[world.catalog.candidate(n, of: route)]
      let upstream = candidate.isWildcard ? "*" : String(decoding: candidate.upstreamName, as: UTF8.self)
      return world.catalog.providers[candidate.provider].name + ":" + upstream
    }
    #expect(found == expected)
    let bytes = Array(name.utf8)
    let rest = kind == .exact && passed > 0 ? bytes.count - passed - 1 : 0
    if passed > 0 {
      #expect(route.passedName.upperBound == bytes.count)
      #expect(route.passedName.lowerBound == (kind == .exact ? 7 : 0) && rest >= 0)
    } else {
      #expect(route.passedName.isEmpty)
    }
  }

  @Test func emptyAndUnknown() {
    #expect(world.route("") == nil)
    let lonely = World([provider("a")])
    #expect(lonely.route("nope") == nil)
    #expect(lonely.route("a/nope") == nil)
    #expect(lonely.route("a/m")?.kind == .exact)
    #expect(lonely.route(String(repeating: "p", count: 4_000) + "/m") == nil)
  }

  @Test func splicesOnlyWhereTheNameDiffers() throws {
    func needs(_ name: String) throws -> Bool {
      let route = try #require(world.route(name))
      let bytes = Array(name.utf8)
      return world.catalog.needsModelSplice(
        world.catalog.candidate(0, of: route), route: route, requested: bytes.span)
    }
    #expect(try needs("llama-70b"))
    #expect(try !needs("both"))
    #expect(try needs("groq/both"))
    #expect(try !needs("anything"))
    #expect(try needs("ollama/qwen"))
    #expect(try needs("fast"))
  }

  @Test func splicedNamesAreJSON() {
    let odd = World([provider("a") { $0.models = [Model(name: "m", upstreamName: "q\"\\\u{1}é")] }])
    #expect(odd.catalog.candidates[0].upstreamJSON == Array("\"q\\\"\\\\\\u0001é\"".utf8))
  }

  @Test func modelListIsTheUnion() {
    let list = world.catalog.modelList()
    #expect(
      list.map(\.id) == [
        "fast", "shadowed", "all", "llama-70b", "both", "meta-llama/Llama-3.1", "Llama-9",
      ])
    #expect(list[3].provider == "Groq" && list[3].tier == 0 && list[3].context == 8_000)
    #expect(list[0].isAlias && !list[3].isAlias)
  }

  @Test(arguments: [
    ("lama-70b", ["llama-70b"]), ("llama", ["llama-70b", "Llama-9"]), ("Llama-3.1", ["meta-llama/Llama-3.1"]),
    ("zzzzzzzz", []), ("", []),
  ])
  func nearest(_ name: String, _ expected: [String]) {
    let bytes = Array(name.utf8)
    let found = world.catalog.nearest(to: bytes.span)
    #expect(found.count <= 3)
    if expected.isEmpty {
      #expect(found.isEmpty)
    } else {
      #expect(expected.allSatisfy(found.contains), "\(found)")
    }
  }

  @Test func nearestTellsTheNearestOfThoseThatMayBeTold() {
    let names = (0..<600).map { "model-\($0)" } + [String(repeating: "m", count: 70)]
    let world = World([provider("a") { $0.models = names.map { Model(name: $0, upstreamName: $0) } }])
    func nearest(_ name: String, mayTell: (String) -> Bool = { _ in true }) -> [String] {
      world.catalog.nearest(to: name.utf8Span.span, mayTell: mayTell)
    }
    #expect(nearest("modle-77") == ["model-77", "model-7", "model-17"])
    #expect(nearest("modle-77") { $0.hasSuffix("9") } == ["model-79"])
    #expect(nearest("modle-77") { _ in false }.isEmpty)
    // Beyond what is looked at, and longer than what is compared.
    #expect(!nearest("model-599x").contains("model-599"))
    #expect(nearest(String(repeating: "m", count: 70)).isEmpty)
  }

  @Test func cacheVerdictOfAListIsNoIfAnyModelSaysNo() {
    let world = World(
      [
        provider("a") { $0.models[0].caches = true }, provider("b") { $0.models[0].caches = false },
      ],
      aliases: [Alias(name: "x", targets: [.init(provider: "a", model: "m")])])
    #expect(world.route("m")?.caches == false)
    #expect(world.route("x")?.caches == true)
    #expect(world.route("a/m")?.caches == true)
    #expect(world.route("m")?.coalesces == nil)
  }
}
