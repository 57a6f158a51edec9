// swift-tools-version: 6.1
import PackageDescription

// Imports point one way: CVulkan <- GPU <- Shaders <- Kernels <- Program <- Model <- Loading <- fathom.
// fathom also imports Engine and Profiler, which import Model but not Loading.
// Cache, Files, JSON, Numerics and Threads know no device; Terminal, Text and Checkpoint stand on them.
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

        // How the latent cache is laid out, and which pages belong to which sequence.
        .target(name: "Cache", dependencies: ["Numerics"]),
        // System calls on files as Swift functions. Only this module repeats calls that a signal interrupted.
        .target(name: "Files"),
        .target(name: "JSON"),
        .target(name: "Numerics"),
        // Threads beyond the processors, for work that waits for a disk or a driver's compiler.
        .target(name: "Threads"),
        .target(name: "GPU", dependencies: ["CVulkan", "Files", "Threads"]),
        // Top-level Shaders/: the plugin compiles every .comp and generates one Swift type for each.
        .target(name: "Shaders", dependencies: ["GPU"], path: "Shaders", plugins: ["ShaderPlugin"]),
        .target(name: "Kernels", dependencies: ["Cache", "GPU", "Numerics", "Shaders"]),
        .target(
            name: "Checkpoint",
            dependencies: ["Files", "JSON", "Numerics", "Threads", .product(name: "Crypto", package: "swift-crypto")]),
        // The archive by name, so that the linker does not prefer the shared library: a copied binary needs no PCRE2.
        .target(
            name: "Text", dependencies: ["CPCRE2", "JSON"], linkerSettings: [.linkedLibrary(":libpcre2-8.a")]),
        // A step as a value: operations over slots, and the interpreters that run, check, plan and time it.
        .target(name: "Program", dependencies: ["GPU", "Kernels", "Numerics"]),
        .target(name: "Model", dependencies: ["Cache", "Checkpoint", "Kernels", "Program"]),
        // From a declaration and a checkpoint to memory: plans, splits, reads, and the model that runs there.
        .target(
            name: "Loading",
            dependencies: ["Cache", "Checkpoint", "GPU", "Kernels", "Model", "Numerics", "Program", "Threads"]),
        .target(name: "Engine", dependencies: ["Cache", "Model", "Numerics", "Text"]),
        // Times kernels by themselves and in a model's steps; tables, pictures, comparison.
        .target(
            name: "Profiler",
            dependencies: ["Cache", "CZlib", "GPU", "JSON", "Kernels", "Model", "Numerics", "Program"],
            linkerSettings: [.linkedLibrary(":libz.a")]),
        // Reading keys and drawing lines in a terminal; standard output.
        .target(name: "Terminal", dependencies: ["Files"]),
        .executableTarget(
            name: "fathom",
            dependencies: [
                "Cache", "Checkpoint", "Engine", "Files", "GPU", "JSON", "Kernels", "Loading", "Minnow", "Model",
                "Numerics", "Profiler", "Program", "Terminal", "Text",
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
        .testTarget(name: "CacheTests", dependencies: ["Cache", "Numerics"]),
        .testTarget(name: "FilesTests", dependencies: ["Files", "Threads"]),
        .testTarget(name: "JSONTests", dependencies: ["JSON"]),
        .testTarget(name: "NumericsTests", dependencies: ["Numerics"]),
        .testTarget(name: "TextTests", dependencies: ["FixtureSupport", "JSON", "Text"]),
        .testTarget(
            name: "CheckpointTests", dependencies: ["Checkpoint", "Files", "FixtureSupport", "JSON", "Numerics"]),
        .testTarget(name: "GPUTests", dependencies: ["FixtureSupport", "GPU", "VulkanFaults"]),
        .testTarget(name: "ShaderCompilerTests", dependencies: ["ShaderCompiler"]),
        .testTarget(name: "KernelsTests", dependencies: ["GPU", "Kernels", "Shaders"]),
        .testTarget(
            name: "ModelTests",
            dependencies: [
                "Cache", "Checkpoint", "FixtureSupport", "GPU", "Kernels", "Loading", "Model", "Numerics", "Program",
                "VulkanFaults",
            ]),
        .testTarget(
            name: "EngineTests",
            dependencies: ["Cache", "Engine", "FixtureSupport", "Loading", "Model", "Numerics", "Text"]),
        .testTarget(
            name: "ProfilerTests",
            dependencies: ["Checkpoint", "GPU", "JSON", "Kernels", "Model", "Numerics", "Profiler", "Program"]),
        // A pseudo-terminal, and a screen that shows what was written to it.
        .target(name: "TerminalSupport", dependencies: ["Terminal"], path: "Tests/TerminalSupport"),
        .testTarget(name: "TerminalTests", dependencies: ["Terminal", "TerminalSupport"]),
        .testTarget(
            name: "FathomTests",
            dependencies: [
                "Cache", "Checkpoint", "Engine", "fathom", "Files", "FixtureSupport", "GPU", "JSON", "Loading",
                "Model", "Numerics", "Profiler", "Terminal", "TerminalSupport", "Text",
            ]),
    ]
)
