import ArgumentParser
import Checkpoint
import GPU
import Glibc
import Kernels
import Loading
import Model
import Profiler
import Terminal

/// Every kernel by itself, at a model's true shapes.
struct ProfileKernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Times every kernel by itself at a model's true shapes.",
        discussion: """
            Each result is compared with the reference first. A kernel is then timed on copies of its random operands that lie \
            outside the caches, in rounds that alternate with other kernels', until the 95% interval of its median is within 2% or \
            its time is up; the table's notes say where it is not.
            """)

    @Argument(help: ArgumentHelp("Kernels to time; all without.", valueName: "kernel"))
    var names: [String] = []

    @OptionGroup var variants: VariantOptions

    @Option(
        help: ArgumentHelp(
            "The model: \(ModelShapes.names.joined(separator: ", ")), or a config.json.", valueName: "model"))
    var shapes = "v2-lite"

    @Option(help: ArgumentHelp("A Vulkan device by index or part of its name.", valueName: "device"))
    var device: String?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Sequences that a decode step goes on with.", valueName: "n"))
    var batch = 1

    @Option(parsing: .unconditional, help: ArgumentHelp("Tokens of a prefill step.", valueName: "n"))
    var prompt = 128

    @Option(parsing: .unconditional, help: ArgumentHelp("Keys that attention reads.", valueName: "n"))
    var context = 1024

    @Option(parsing: .unconditional, help: ArgumentHelp("The most that one kernel's rounds take.", valueName: "s"))
    var seconds = 2.0

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The device's last-level cache. Without it, as Linux says of the processor, or 128 for hardware.",
            valueName: "MiB"))
    var cache: Int?

    @Option(help: .hidden)
    var planted: [String] = []

    @OptionGroup(title: "Output") var outputs: ProfileOutputs

    mutating func validate() throws {
        let known = Catalogue.kernels.map { $0.name }
        for name in names + planted where !known.contains(name) {
            throw ValidationError("\(name): expected a kernel: \(known.joined(separator: ", "))")
        }
        if case .cpu = DeviceChoice(device) {
            throw ValidationError("--device cpu: expected a Vulkan device, whose kernels are timed")
        }
        for (flag, value) in [("--prompt", prompt), ("--context", context)] where !(1...65536).contains(value) {
            throw ValidationError("\(flag): expected 1 to 65536, found \(value)")
        }
        guard (1...64).contains(batch) else {
            throw ValidationError("--batch: expected 1 to 64, found \(batch)")
        }
        if prompt > context {
            throw ValidationError("--prompt: expected at most --context (\(context)), found \(prompt)")
        }
        guard seconds > 0, seconds <= 3600 else {
            throw ValidationError("--seconds: expected more than 0 and at most 3600, found \(seconds)")
        }
        if let cache, !(1...65536).contains(cache) {
            throw ValidationError("--cache: expected 1 to 65536, found \(cache)")
        }
    }

    func run() throws {
        try outputs.check()
        var shapes = try namedShapes()
        shapes.batchCount = batch
        shapes.prefillTokenCount = prompt
        shapes.contextLength = context
        if case .none(let reason) = try VulkanDevices.look() { throw CommandError(reason) }
        let device = try Device.open(device, captureStatistics: true)
        variants.apply(to: device)
        var options = KernelProfiler.Options()
        options.names = names
        options.seconds = seconds
        options.cacheByteCount = cache.map { $0 << 20 }
        options.planted = Set(planted)
        Interrupt.install()
        let line = ProgressLine()
        let profiler = try KernelProfiler(device: device, shapes: shapes, options: options) { done, total in
            line.show("\(done) of \(total) kernels timed on \(device.profile.name)")
            return !Interrupt.isRequested
        }
        let profile = try line.profile(on: device) { () throws(ProfilerError) in
            try profiler.run(header: header(of: device, model: shapes.name))
        }
        try outputs.write(profile)
    }

    private func namedShapes() throws -> ModelShapes {
        if let known = try ModelShapes.named(shapes) { return known }
        guard shapes.contains(".") || shapes.contains("/") else {
            throw CommandError(
                "--shapes \(shapes): expected \(ModelShapes.names.joined(separator: ", ")) or the path of a config.json"
            )
        }
        return ModelShapes(name: shapes, config: try ModelConfig(json: try Input.file(shapes), name: shapes))
    }
}

/// The header of this run's profile.
func header(of device: Device, model: String) -> Profile.Header {
    Profile.Header(
        of: device, model: model, commit: BuildInfo.commit,
        commandLine: ["fathom"] + CommandLine.arguments.dropFirst(), date: time(nil))
}
