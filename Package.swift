// swift-tools-version: 6.2
import PackageDescription

// The sources need neither the concurrency runtime nor the regex engine: without these two
// imports an accidental `await` or `/regex/` does not compile.
//
// SwiftPM builds the modules for their tests, in ordinary Swift with its checks. The product is Embedded Swift:
// contrib/build reads the modules, what each needs, and these settings from here.
let strict: [SwiftSetting] = [
  .enableExperimentalFeature("Lifetimes"),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .unsafeFlags([
    "-Xfrontend", "-disable-implicit-concurrency-module-import",
    "-Xfrontend", "-disable-implicit-string-processing-module-import",
  ]),
]

/// One module of the product: `ARCHITECTURE.md` says what each may import.
func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(
    name: name, dependencies: dependencies,
    swiftSettings: [.enableExperimentalFeature("Lifetimes")])
}

/// What the modules' tests share; no part of the product.
func support(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: strict)
}

let package = Package(
  name: "synaxis",
  products: [.executable(name: "synaxis", targets: ["synaxis"])],
  targets: [
    .target(name: "CLinux"),
    .target(name: "CStarter"),
    .target(name: "CPage", exclude: ["page.html", "page.css", "words.js", "page.js"]),
    .systemLibrary(
      name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
    module("Base", ["CLinux"]),
    module("Wire", ["Base", "CLinux"]),
    module("Policy", ["Base"]),
    module("Exchange", ["Base", "Wire", "Policy"]),
    module("TierFile", ["Base", "Policy", "Transport", "CYAML", "CLinux"]),
    module("Kernel", ["Base", "CLinux"]),
    module("HTTP2", ["Base", "CNghttp2"]),
    module("Transport", ["Base", "COpenSSL", "CLinux"]),
    module("Upstream", ["Base", "Wire", "HTTP2", "Transport", "CCurl", "CLinux"]),
    module(
      "Downstream", ["Base", "Wire", "Policy", "Exchange", "Kernel", "HTTP2", "Transport", "CLinux"]),
    module("Observability", ["Base", "Wire", "Policy", "Exchange", "CLinux"]),
    module("Admin", ["Base", "Wire", "Policy", "Kernel", "Observability", "CPage"]),
    module(
      "Proxy",
      [
        "Base", "Wire", "Policy", "Exchange", "Kernel", "Transport", "Upstream", "Downstream",
        "Observability", "Admin",
      ]),
    module(
      "Server",
      ["Base", "Policy", "Kernel", "Transport", "Upstream", "Downstream", "Observability", "Proxy", "CLinux"]),
    module("Lab", ["Base", "Wire", "Kernel", "Transport", "CLinux"]),
    module("Batch", ["Base", "Wire", "Kernel", "Transport", "Lab", "CLinux"]),
    .executableTarget(
      name: "synaxis",
      dependencies: [
        "Base", "Policy", "TierFile", "Transport", "Observability", "Server", "Lab", "Batch", "CLinux",
        "CStarter",
      ],
      swiftSettings: strict),
    support("TestSupport", ["Base", "Policy"]),
    tests("BaseTests", ["Base", "TestSupport"]),
    tests("WireTests", ["Wire", "TestSupport"]),
    tests("PolicyTests", ["Policy", "TestSupport"]),
    tests("ExchangeTests", ["Exchange", "TestSupport"]),
    tests("TierFileTests", ["TierFile", "TestSupport"]),
    tests("KernelTests", ["CLinux", "Kernel", "TestSupport"]),
    tests("HTTP2Tests", ["HTTP2", "Base", "CNghttp2", "TestSupport"]),
    tests("UpstreamTests", ["Upstream", "Transport", "COpenSSL"]),
    tests("DownstreamTests", ["Downstream", "Wire", "Exchange", "Policy", "Base", "TestSupport"]),
    tests("AdminTests", ["Admin", "Observability", "Wire", "Policy", "Base"]),
    tests(
      "ProxyTests",
      ["Proxy", "Policy", "Base", "Downstream", "Upstream", "Observability", "Kernel", "Wire", "TestSupport"]),
    tests("LabTests", ["Lab", "TestSupport"]),
    tests("BatchTests", ["Batch"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu17
)
