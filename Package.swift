// swift-tools-version: 6.1
import PackageDescription

// Imports point one way: CVulkan <- GPU <- Shaders <- Kernels <- Model <- Generation, Profiler <- fathom.
// JSON, Numerics and Threads stand alone; Text and Checkpoint stand on them.
let package = Package(
    name: "fathom",
    products: [.executable(name: "fathom", targets: ["fathom"])],
    dependencies: [
        // The command line: parsing, validation and help for a dozen subcommands.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        // SHA-256 of checkpoints of 700 GB, by the processor's own instructions: four times as fast as without them.
        .package(url: "https://github.com/apple/swift-crypto", from: "4.0.0"),
    ],
    targets: [
        // The Vulkan loader, opened at run time, and a few flat functions over Vulkan.
        .target(name: "CVulkan", linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
        // PCRE2 runs the pre-tokenizers' patterns: ten times faster than NSRegularExpression, a hundred times Swift's Regex.
        .systemLibrary(name: "CPCRE2", providers: [.apt(["libpcre2-dev"])]),
        // zlib compresses the profiler's traces.
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        // The built-in model's files, placed in the binary by the assembler.
        .target(name: "Minnow", exclude: ["checkpoint"], cSettings: [.headerSearchPath("checkpoint")]),

        .target(name: "JSON"),
        .target(name: "Numerics"),
        // Threads beyond the processors, for work that waits for a disk or a driver's compiler.
        .target(name: "Threads"),
        .target(name: "GPU", dependencies: ["CVulkan", "Threads"]),
        // Top-level Shaders/: the plugin compiles every .comp and generates one Swift type for each.
        .target(name: "Shaders", dependencies: ["GPU"], path: "Shaders", plugins: ["ShaderPlugin"]),
        .target(name: "Kernels", dependencies: ["GPU", "Numerics", "Shaders"]),
        .target(
            name: "Checkpoint",
            dependencies: ["JSON", "Numerics", "Threads", .product(name: "Crypto", package: "swift-crypto")]),
        // The archive by name, so that the linker does not prefer the shared library: a copied binary needs no PCRE2.
        .target(
            name: "Text", dependencies: ["CPCRE2", "JSON"], linkerSettings: [.linkedLibrary(":libpcre2-8.a")]),
        .target(name: "Model", dependencies: ["Checkpoint", "Kernels", "Threads"]),
        .target(name: "Generation", dependencies: ["Model", "Numerics", "Text"]),
        // Times kernels by themselves and in a model's steps; tables, pictures, comparison.
        .target(
            name: "Profiler", dependencies: ["CZlib", "GPU", "JSON", "Kernels", "Model", "Numerics"],
            linkerSettings: [.linkedLibrary(":libz.a")]),
        // Reading keys and drawing lines in a terminal; standard output.
        .target(name: "Terminal"),
        .executableTarget(
            name: "fathom",
            dependencies: [
                "Checkpoint", "GPU", "Generation", "JSON", "Kernels", "Minnow", "Model", "Numerics", "Profiler",
                "Terminal", "Text",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            plugins: ["BuildInfoPlugin"]),

        .executableTarget(name: "ShaderCompiler", path: "Tools/ShaderCompiler"),
        // The commit goes into the program.
        .plugin(name: "BuildInfoPlugin", capability: .buildTool(), path: "Tools/BuildInfoPlugin"),
        .plugin(
            name: "ShaderPlugin", capability: .buildTool(), dependencies: ["ShaderCompiler"], path: "Tools/ShaderPlugin"
        ),

        // Unpacks the checkpoints of Tests/Fixtures/oracle; makes tiny and spoiled ones.
        .target(
            name: "FixtureSupport", dependencies: ["Checkpoint", "JSON", "Numerics"], path: "Tests/FixtureSupport"),
        // Devices that run out of memory or are lost, made so at the shim's edge.
        .target(
            name: "VulkanFaults", dependencies: ["CVulkan"], path: "Tests/VulkanFaults",
            cSettings: [.headerSearchPath("../../Sources/CVulkan")]),
        .testTarget(name: "JSONTests", dependencies: ["JSON"]),
        .testTarget(name: "NumericsTests", dependencies: ["Numerics"]),
        .testTarget(name: "TextTests", dependencies: ["FixtureSupport", "JSON", "Text"]),
        .testTarget(name: "CheckpointTests", dependencies: ["Checkpoint", "FixtureSupport", "JSON", "Numerics"]),
        .testTarget(name: "GPUTests", dependencies: ["FixtureSupport", "GPU", "VulkanFaults"]),
        .testTarget(name: "ShaderCompilerTests", dependencies: ["ShaderCompiler"]),
        .testTarget(name: "KernelsTests", dependencies: ["GPU", "Kernels", "Shaders"]),
        .testTarget(
            name: "ModelTests",
            dependencies: ["Checkpoint", "FixtureSupport", "GPU", "Kernels", "Model", "Numerics", "VulkanFaults"]),
        .testTarget(
            name: "GenerationTests", dependencies: ["FixtureSupport", "Generation", "Model", "Numerics", "Text"]),
        .testTarget(
            name: "ProfilerTests",
            dependencies: ["Checkpoint", "GPU", "JSON", "Kernels", "Model", "Numerics", "Profiler"]),
        // A pseudo-terminal, and a screen that shows what was written to it.
        .target(name: "TerminalSupport", dependencies: ["Terminal"], path: "Tests/TerminalSupport"),
        .testTarget(name: "TerminalTests", dependencies: ["Terminal", "TerminalSupport"]),
        .testTarget(
            name: "FathomTests",
            dependencies: [
                "Checkpoint", "fathom", "FixtureSupport", "Generation", "JSON", "Model", "Numerics", "Terminal",
                "TerminalSupport",
                "Text",
            ]),
    ]
)
