import ArgumentParser
import GPU
import JSON
import Kernels
import Loading
import Model
import Numerics
import Profiler
import Terminal

/// Measures which variants of the kernels are fastest on a device, and keeps the choice.
struct TuneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Measures which variants of the kernels are fastest on a device, and keeps the choice.",
        discussion: """
            Checks each variant that the device can run against the CPU reference, runs a model's steps with it and times \
            every kernel in them. What is right and fastest runs from then on, with every model on this device and driver; it is kept in $XDG_CACHE_HOME/fathom, \
            or ~/.cache/fathom, until the kernels change. Tune with the model that is to be fast, and nothing else running.
            """)

    @OptionGroup(title: "Model") var modelOptions: ModelOptions

    @Option(parsing: .unconditional, help: ArgumentHelp("Tokens of the prompt.", valueName: "n"))
    var prompt = 256

    @Flag(help: "Print a JSON object.")
    var json = false

    mutating func validate() throws {
        guard (1...65536).contains(prompt) else {
            throw ValidationError("--prompt: expected 1 to 65536, found \(prompt)")
        }
        guard modelOptions.variants.variant.isEmpty else {
            throw ValidationError("--variant: expected none, since tune tries them all")
        }
        if case .cpu = DeviceChoice(modelOptions.device) {
            throw ValidationError("--device cpu: expected a Vulkan device: the reference has no variants")
        }
    }

    func run() throws {
        var modelOptions = modelOptions
        modelOptions.context = modelOptions.context ?? prompt + 8
        let opened = try modelOptions.open(needsText: false)
        Interrupt.install()
        let line = ProgressLine()
        let tuner = try KernelTuner(model: opened.model, promptTokenCount: prompt) { done, total in
            line.show("\(done) of \(total) variants timed")
            return !Interrupt.isRequested
        }
        let results = try line.measure { () throws(ProfilerError) in try tuner.run() }
        try Output.standard.print(json ? Self.json(results) : Self.table(results))
        guard let file = opened.model.device.flatMap({ TuningFile(for: $0.profile) }) else {
            throw CommandError(
                "expected $XDG_CACHE_HOME or $HOME to keep the choice in, found neither: nothing was saved")
        }
        try file.write(KernelTuner.choices(results))
        try note("kept in \(file.path)")
    }

    static func table(_ results: [KernelTuner.Result]) -> String {
        results.map { result in
            let times = result.times.sorted { $0.nanoseconds < $1.nanoseconds }.map { time in
                "\(time.variant) \(fixed(time.nanoseconds / 1000, 0)) µs"
            }
            let wrong = result.wrong.map { "  \($0.variant) not taken: \($0.found)\n" }
            return "\(result.choice): \(result.best) (\(times.joined(separator: ", ")))\n\(wrong.joined())"
        }.joined()
    }

    static func json(_ results: [KernelTuner.Result]) -> String {
        JSONValue.array(
            results.map { result in
                .object([
                    JSONMember("choice", JSONValue(result.choice)), JSONMember("variant", JSONValue(result.best)),
                    JSONMember(
                        "nanoseconds",
                        .object(result.times.map { JSONMember($0.variant, JSONValue($0.nanoseconds)) })),
                    JSONMember("wrong", .object(result.wrong.map { JSONMember($0.variant, JSONValue($0.found)) })),
                ])
            }
        ).serialized(pretty: true) + "\n"
    }
}
