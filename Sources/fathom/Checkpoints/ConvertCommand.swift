import ArgumentParser
import Checkpoint
import Glibc
import Loading
import Model
import Terminal

/// Writes a checkpoint in another format, split for several devices, or merged again.
struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Writes a checkpoint in another format, split for several devices, or merged again.",
        discussion: """
            --to bf16 dequantises weights, FP8 as DeepSeek's fp8_cast_bf16.py does; fp8 makes blocks of 128 by 128; int8 and int4 \
            give each group of a row's weights a scale, in the layout of compressed-tensors (kv_b_proj, and matrices whose rows \
            are no multiple of the group, stay in BF16). SRC may be in BF16, F16, F32, FP8 or packed integers; a matrix that the \
            format cannot hold becomes BF16. Embedding, head, norms and router are copied, and so are the other files of SRC.

            --ranks N writes model0-mpN.safetensors and so on, one file a rank: experts by rank, rows and columns as \
            DeepSeek's convert.py splits them, with the published names; --merge makes the original files again.

            Interrupted runs resume when the same command runs again. Partial output never opens: DST has no config.json \
            until the end. SRC is never written to.

            The report says how far the weights of each part of the model moved, with --json of each tensor. --eval also measures \
            how well the model predicts a text before and after, as fathom perplexity does; it measures SRC first, so that a \
            model that cannot run is reported before the conversion begins. With a finished DST it only measures.

              fathom convert DeepSeek-V3 DeepSeek-V3-int4 --to int4 --experts-only
              fathom convert V2-Lite V2-Lite-int8 --to int8 --eval wiki.test.raw
              fathom convert DeepSeek-V3 DeepSeek-V3-mp16 --ranks 16
            """)

    @Argument(help: ArgumentHelp("Folder of a checkpoint as published.", valueName: "src"))
    var source: String

    @Argument(help: ArgumentHelp("Folder to write to: new, empty, or left by the same command.", valueName: "dst"))
    var target: String

    @Option(
        help: ArgumentHelp(
            "The weights' format. Without it (--ranks, --merge) they stay as they are.",
            valueName: "format"))
    var to: ConversionOptions.Format?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Weights that share a scale in int8 and int4: 32, 64 or 128 (default 32).", valueName: "n"))
    var group: Int?

    @Option(
        help: ArgumentHelp(
            "Scales of fp8: f32, or ue8m0, rounded up to powers of two (default f32).", valueName: "format"))
    var scales: ScaleFormat?

    @Flag(help: "Convert the routed experts' matrices only; the others keep their format where the config can say so.")
    var expertsOnly = false

    @Option(parsing: .unconditional, help: ArgumentHelp("Split for this many ranks.", valueName: "n"))
    var ranks: Int?

    @Flag(help: "Merge the files that --ranks made.")
    var merge = false

    @Option(help: ArgumentHelp("Measure the perplexity of SRC and DST on this text, in UTF-8.", valueName: "file"))
    var eval: String?

    @Option(
        help: ArgumentHelp(
            "Where --eval runs: cpu, or a Vulkan device by index or part of its name. Without it, the best Vulkan device.",
            valueName: "device"))
    var device: String?

    @Flag(help: "Replace a checkpoint, or another unfinished conversion, in DST.")
    var force = false

    @Flag(help: "Say what would be written, and write nothing.")
    var dryRun = false

    @Flag(help: "Print a JSON object, with every quantised tensor's relative error.")
    var json = false

    enum ScaleFormat: String, ExpressibleByArgument, CaseIterable { case f32, ue8m0 }

    mutating func validate() throws {
        for (name, path) in [("SRC", source), ("DST", target)] where path.isEmpty {
            throw ValidationError("\(name): expected a folder, found an empty text")
        }
        if let group, ![32, 64, 128].contains(group) {
            throw ValidationError("--group: expected 32, 64 or 128, found \(group)")
        }
        if let ranks, !(2...4096).contains(ranks) {
            throw ValidationError("--ranks: expected 2 to 4096, found \(ranks)")
        }
        if group != nil, to != .int8, to != .int4 {
            throw ValidationError("--group: expected --to int8 or int4 with it")
        }
        if scales != nil, to != .fp8 { throw ValidationError("--scales: expected --to fp8 with it") }
        if expertsOnly, to == nil { throw ValidationError("--experts-only: expected --to with it") }
        if merge, to != nil || ranks != nil {
            throw ValidationError("--merge: expected neither --to nor --ranks with it")
        }
        if eval != nil, ranks != nil || merge {
            throw ValidationError(
                "--eval: expected neither --ranks nor --merge with it: no program runs ranks, and splitting changes no weight"
            )
        }
        if eval != nil, dryRun { throw ValidationError("--eval: expected no --dry-run with it, which writes nothing") }
        if device != nil, eval == nil { throw ValidationError("--device: expected --eval with it") }
        if !merge, to == nil, ranks == nil {
            throw ValidationError("expected --to, --ranks or --merge, found none of them")
        }
    }

    func run() throws {
        let evaluation = try eval.map { try ConvertEvaluation(text: $0, device: device) }
        let plan = try plan()
        for text in plan.notes { try note("\(source): \(text)") }
        if dryRun { return try report(plan, nil) }
        guard let evaluation else { return try report(plan, convert(plan)) }
        let finished = try plan.finished(in: target, force: force)
        let before = try evaluation.source(source, plan, target: target)
        let result = try finished ?? convert(plan)
        if finished != nil { try note("\(target): this conversion was there, finished") }
        try report(plan, result, .init(source: before, target: evaluation.target(target)))
    }

    private func plan() throws -> ConversionPlan {
        if merge { return try ConversionPlan(merging: ConversionSource(merging: source)) }
        let options = ConversionOptions(
            format: to, groupSize: group ?? 32, powersOfTwo: scales == .ue8m0, expertsOnly: expertsOnly,
            rankCount: ranks ?? 1)
        return try ConversionPlan(ConversionSource(folder: source), options)
    }

    private func convert(_ plan: ConversionPlan) throws -> ConversionResult {
        // A file over the shell's limit becomes an error instead of a signal.
        signal(SIGXFSZ, SIG_IGN)
        let bar = LoadingBar(name: target)
        let result: ConversionResult
        do throws(CheckpointError) {
            result = try plan.run(into: target, force: force) { progress in
                bar.show(
                    LoadProgress(
                        loadedByteCount: progress.doneByteCount, totalByteCount: progress.totalByteCount))
            }
        } catch {
            bar.clear()
            throw error
        }
        bar.clear()
        if !result.keptFiles.isEmpty {
            try note("\(target): \(result.keptFiles.count) files are complete from an earlier run")
        }
        return result
    }

    private func report(
        _ plan: ConversionPlan, _ result: ConversionResult?, _ evaluation: ConvertEvaluation.Result? = nil
    ) throws {
        let report = ConvertReport(plan, result, evaluation: evaluation, source: source, target: target)
        try Output.standard.print(report.text(json: json))
    }
}

extension ConversionOptions.Format: ExpressibleByArgument {}
