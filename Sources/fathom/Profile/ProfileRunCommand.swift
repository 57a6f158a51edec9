import ArgumentParser
import Loading
import Model
import Profiler

/// A model's real steps, dispatch by dispatch.
struct ProfileRunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Times a model's real steps, dispatch by dispatch.",
        discussion: """
            Reads a prompt of random tokens (the same in every run) and decodes greedily. Each step has some of its dispatches \
            between marks in time, others every time and so few that they slow it by 2% at most; it also runs without, so that \
            the overhead that the table names is measured. The tree says which layers and operations the time went to, the trace \
            what the host did meanwhile.
            """)

    @OptionGroup(title: "Model") var modelOptions: ModelOptions

    @Option(parsing: .unconditional, help: ArgumentHelp("Tokens of the prompt.", valueName: "n"))
    var prompt = 512

    @Option(parsing: .unconditional, help: ArgumentHelp("Tokens to decode.", valueName: "n"))
    var generate = 64

    @Option(
        help: ArgumentHelp("The steps as a Chrome trace for Perfetto; compressed if it ends in .gz.", valueName: "file")
    )
    var trace: String?

    @OptionGroup(title: "Output") var outputs: ProfileOutputs

    mutating func validate() throws {
        for (flag, value) in [("--prompt", prompt), ("--generate", generate)] where !(1...(1 << 20)).contains(value) {
            throw ValidationError("\(flag): expected 1 to \(1 << 20), found \(value)")
        }
        if modelOptions.check { throw ValidationError("--check runs every kernel twice: expected it without profile") }
        if case .cpu = DeviceChoice(modelOptions.device) {
            throw ValidationError("--device cpu: expected a Vulkan device, whose kernels are timed")
        }
    }

    func run() throws {
        try outputs.check([trace])
        Interrupt.install()
        var modelOptions = modelOptions
        modelOptions.context = modelOptions.context ?? prompt + generate + 1
        let opened = try modelOptions.open(needsText: false, captureStatistics: true)
        let needed = prompt + generate
        guard needed <= opened.model.contextLength else {
            throw CommandError(
                "--prompt \(prompt) --generate \(generate): expected at most \(opened.model.contextLength) tokens together, found \(needed): lower them, or raise --context"
            )
        }
        guard let device = opened.model.device else { preconditionFailure("a device was asked for") }
        let line = ProgressLine()
        let profiler = try RunProfiler(
            model: opened.model, promptTokenCount: prompt, generatedTokenCount: generate
        ) { done, total in
            line.show("\(done) of \(total) tokens decoded on \(device.profile.name)")
            return !Interrupt.isRequested
        }
        let profile = try line.profile(on: device) { () throws(ProfilerError) in
            try profiler.run(header: header(of: device, model: opened.name))
        }
        if let trace {
            let bytes = profile.chromeTrace()
            try AtomicFile.write(trace.hasSuffix(".gz") ? gzipped(bytes) : bytes, to: trace)
        }
        try outputs.write(profile)
    }
}
