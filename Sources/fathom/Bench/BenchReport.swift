import GPU
import JSON
import Model
import Numerics
import Profiler

/// The results of a bench, as text and as JSON.
struct BenchReport {
    private let command: BenchCommand
    private let opened: OpenedModel
    private let prefill: [Double]
    private let decode: [Double]
    /// Nil on the CPU, whose limits are not measured.
    private let work: BenchWork?
    private let processPeak = peakMemory()
    /// Nil on the CPU.
    private let driver: String?

    init(
        _ command: BenchCommand, _ opened: OpenedModel, _ speeds: [(prefill: Double, decode: Double)],
        _ work: BenchWork?
    ) throws {
        self.command = command
        self.opened = opened
        prefill = speeds.map(\.prefill)
        decode = speeds.map(\.decode)
        self.work = work
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
            + (work.map { row("", $0.text($0.costs.prefill, median(prefill))) } ?? "")
            + row("decode", "\(speed(decode)), \(command.generate) tokens")
            + (work.map { row("", $0.text($0.costs.decode, median(decode))) } ?? "")
            + (work.map { row("limits", $0.limitsText) } ?? "")
            + row("load", loadText)
            + row(
                "memory",
                ([
                    processPeak.map { "process \(byteText($0))" },
                    opened.model.peakDeviceByteCount.map { "device \(byteText($0))" },
                ]
                .compactMap { $0 }).joined(separator: ", "))
            + (BuildInfo.commit.map { row("commit", $0) } ?? "")
    }

    /// "2.31 s, 7.4 GB: 3.2 GB/s". The time includes opening the device and the tokenizer.
    private var loadText: String {
        let time = "\(fixed(opened.loadSeconds, 2)) s"
        guard let byteCount = opened.loadedByteCount.map({ Double($0) }) else { return time }
        return "\(time), \(amount(byteCount, "B")): \(amount(byteCount / opened.loadSeconds, "B/s"))"
    }

    var json: JSONValue {
        func speed(_ values: [Double], _ tokenCount: Int, _ costs: StepCosts?) -> JSONValue {
            .object(
                [
                    JSONMember("tokens", JSONValue(tokenCount)),
                    JSONMember("tokens_per_second", JSONValue(median(values))),
                    JSONMember("min", JSONValue(values.min()!)),
                    JSONMember("max", JSONValue(values.max()!)),
                    JSONMember("runs", .array(values.map { JSONValue($0) })),
                ] + (costs.flatMap { work?.json($0, median(values)) } ?? []))
        }
        return .object([
            JSONMember("model", JSONValue(opened.name)),
            JSONMember("device", JSONValue(opened.model.deviceName)),
            JSONMember("driver", driver.map { JSONValue($0) } ?? .null),
            JSONMember("commit", BuildInfo.commit.map { JSONValue($0) } ?? .null),
            JSONMember("prefill", speed(prefill, command.prompt, work?.costs.prefill)),
            JSONMember("decode", speed(decode, command.generate, work?.costs.decode)),
            JSONMember("limits", work?.limitsJSON ?? .null),
            JSONMember("load_seconds", JSONValue(opened.loadSeconds)),
            JSONMember("loaded_bytes", opened.loadedByteCount.map { JSONValue($0) } ?? .null),
            JSONMember("peak_process_bytes", processPeak.map { JSONValue($0) } ?? .null),
            JSONMember("peak_device_bytes", opened.model.peakDeviceByteCount.map { JSONValue($0) } ?? .null),
        ])
    }
}

/// The process's peak memory (VmHWM, in kB); nil where the system does not report it.
private func peakMemory() -> Int? {
    guard let status = try? Input.file("/proc/self/status") else { return nil }
    for line in Input.lines(status) {
        let words = String(decoding: line, as: UTF8.self).split { $0 == " " || $0 == "\t" }
        if words.first == "VmHWM:", words.count == 3, let count = Int(words[1]) { return count * 1024 }
    }
    return nil
}
