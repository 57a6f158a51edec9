import ArgumentParser
import GPU
import Generation
import JSON
import Model
import Numerics
import Terminal

/// Measures a model's speed.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures prefill and decode in tokens a second.",
        discussion: """
            Each repeat computes a prompt of random tokens (the same in every run) and then decodes greedily, end tokens ignored. \
            One run before, not counted, makes the pipelines. Reported: median, least and most of the repeats; load time; the \
            process's peak memory and the device's; device, driver and the commit that the program was built from.
            """)

    @OptionGroup(title: "Model") var modelOptions: ModelOptions

    @Option(parsing: .unconditional, help: ArgumentHelp("Tokens of the prompt.", valueName: "n"))
    var prompt = 512

    @Option(parsing: .unconditional, help: ArgumentHelp("Tokens to decode after the first.", valueName: "n"))
    var generate = 128

    @Option(parsing: .unconditional, help: ArgumentHelp("Counted runs.", valueName: "n"))
    var repeats = 5

    @Flag(help: "Print a JSON object.")
    var json = false

    mutating func validate() throws {
        // No model has a longer context; the sum of two such numbers is still one.
        let most = 1 << 30
        for (flag, value) in [("--prompt", prompt), ("--generate", generate), ("--repeats", repeats)]
        where !(1...most).contains(value) {
            throw ValidationError("\(flag): expected 1 to \(most), found \(value)")
        }
    }

    func run() throws {
        var modelOptions = modelOptions
        // Room for the run, if nothing else was asked for.
        modelOptions.context = modelOptions.context ?? prompt + generate + 1
        let opened = try modelOptions.open(needsText: false)
        let speeds = try measure(opened.model)
        let report = try BenchReport(self, opened, speeds)
        try Output.standard.write(json ? report.json.serialized(pretty: true) + "\n" : report.text)
    }

    /// Tokens a second of each counted run.
    private func measure(_ model: any LanguageModel) throws -> [(prefill: Double, decode: Double)] {
        var random = SeededRandom(seed: 1)
        let tokens = (0..<prompt).map { _ in Int32.random(in: 0..<Int32(model.vocabularySize), using: &random) }
        let options = GenerationOptions(maxNewTokens: generate + 1)
        let session = try Session(model: model)
        var speeds: [(prefill: Double, decode: Double)] = []
        for run in 0...repeats {
            session.reset()
            let summary = try session.generate(
                tokens, options: options, text: NoText(), onEvent: { _ in }
            ).summary
            guard summary.finishReason == .length else {
                throw CommandError(
                    "--prompt \(prompt) --generate \(generate): expected a context of \(prompt + generate + 1) tokens, found \(model.contextLength): lower them, or raise --context"
                )
            }
            guard run > 0 else { continue }
            speeds.append((summary.prefillRate!, summary.decodeRate!))
            if Surroundings.current().errorIsTerminal {
                try note(
                    "run \(run) of \(repeats): prefill \(fixed(summary.prefillRate!, 1)), decode \(fixed(summary.decodeRate!, 1)) tokens/s"
                )
            }
        }
        return speeds
    }
}

/// What a bench found, for people and programs.
private struct BenchReport {
    private let command: BenchCommand
    private let opened: OpenedModel
    private let prefill: [Double]
    private let decode: [Double]
    private let processPeak = peakMemory()
    /// Nil on the CPU.
    private let driver: String?

    init(_ command: BenchCommand, _ opened: OpenedModel, _ speeds: [(prefill: Double, decode: Double)]) throws {
        self.command = command
        self.opened = opened
        prefill = speeds.map(\.prefill)
        decode = speeds.map(\.decode)
        let profile =
            opened.model.peakDeviceByteCount == nil
            ? nil : try Device.available().first { $0.name == opened.model.deviceName }
        driver = profile.map { "\($0.driverName) \($0.driverInfo)".trimmed }
    }

    var text: String {
        func row(_ name: String, _ value: String) -> String {
            "\(name)\(String(repeating: " ", count: 10 - name.count))\(value)\n"
        }
        func speed(_ values: [Double]) -> String {
            "\(fixed(median(values), 1)) tokens/s (\(fixed(values.min()!, 1)) to \(fixed(values.max()!, 1)))"
        }
        return row("model", opened.name)
            + row("device", [opened.model.deviceName, driver].compactMap { $0 }.joined(separator: ", "))
            + row("prefill", "\(speed(prefill)), \(command.prompt) tokens")
            + row("decode", "\(speed(decode)), \(command.generate) tokens")
            + row("load", "\(fixed(opened.loadSeconds, 2)) s")
            + row(
                "memory",
                ([
                    processPeak.map { "process \(byteText($0))" },
                    opened.model.peakDeviceByteCount.map { "device \(byteText($0))" },
                ]
                .compactMap { $0 }).joined(separator: ", "))
            + (BuildInfo.commit.map { row("commit", $0) } ?? "")
    }

    var json: JSONValue {
        func speed(_ values: [Double], _ tokenCount: Int) -> JSONValue {
            .object([
                JSONMember("tokens", JSONValue(tokenCount)),
                JSONMember("tokens_per_second", JSONValue(median(values))),
                JSONMember("min", JSONValue(values.min()!)),
                JSONMember("max", JSONValue(values.max()!)),
                JSONMember("runs", .array(values.map { JSONValue($0) })),
            ])
        }
        return .object([
            JSONMember("model", JSONValue(opened.name)),
            JSONMember("device", JSONValue(opened.model.deviceName)),
            JSONMember("driver", driver.map { JSONValue($0) } ?? .null),
            JSONMember("commit", BuildInfo.commit.map { JSONValue($0) } ?? .null),
            JSONMember("prefill", speed(prefill, command.prompt)),
            JSONMember("decode", speed(decode, command.generate)),
            JSONMember("load_seconds", JSONValue(opened.loadSeconds)),
            JSONMember("peak_process_bytes", processPeak.map { JSONValue($0) } ?? .null),
            JSONMember("peak_device_bytes", opened.model.peakDeviceByteCount.map { JSONValue($0) } ?? .null),
        ])
    }
}

/// The most memory that the process had (VmHWM, in kB); nil where the system does not tell.
private func peakMemory() -> Int? {
    guard let status = try? Input.file("/proc/self/status") else { return nil }
    for line in Input.lines(status) {
        let words = String(decoding: line, as: UTF8.self).split { $0 == " " || $0 == "\t" }
        if words.first == "VmHWM:", words.count == 3, let count = Int(words[1]) { return count * 1024 }
    }
    return nil
}
