import JSON
import Numerics
import Profiler

/// What a run of Tools/gpu-report found.
struct Report {
    /// A command of the run, and how it ended.
    struct Part {
        let name: String
        let seconds: Int
        /// Nil where it succeeded and its output could be read.
        var failure: String?
    }

    let commit: String?
    let date: String
    private(set) var parts: [Part] = []
    /// `fathom devices --json`.
    private(set) var devices: [JSONValue] = []
    private(set) var device = (name: "no device", kind: "none", driver: "")
    private(set) var selfTest: (passed: Int, failures: [String])?
    /// `fathom profile kernels`, by the part's name.
    private(set) var profiles: [(part: String, profile: Profile)] = []
    /// `fathom bench --synthetic`.
    private(set) var synthetic: [JSONField] = []
    /// Seconds to the first token of an answer, the first time and after that.
    private(set) var start: JSONValue?
    /// What PyTorch reached; nil without.
    private(set) var torch: JSONField?

    /// Reads what the script left: `device`, its index; `parts`, with a line "name status seconds" for each; and the parts'
    /// outputs as name.out, name.err and (profiles) name.json.
    init(folder: String, commit: String?, date: String) throws {
        self.commit = commit
        self.date = date
        let index = Int(String(decoding: try Input.file(folder + "/device"), as: UTF8.self).trimmed) ?? 0
        for line in Input.lines(try Input.file(folder + "/parts")) {
            let words = String(decoding: line, as: UTF8.self).split(separator: " ").map(String.init)
            guard words.count == 3, let status = Int(words[1]), let seconds = Int(words[2]) else {
                throw CommandError(
                    "\(folder)/parts: expected a name and two numbers, found \(words.joined(separator: " "))")
            }
            var part = Part(name: words[0], seconds: seconds)
            // A selftest with failures exits with 1 and names them.
            if status == 0 || part.name == "selftest" {
                do { try take(part.name, folder, index) } catch { part.failure = ErrorAdvice.line(error) }
            }
            if status != 0 {
                let isLate = status == 124 || status == 137
                part.failure =
                    isLate
                    ? "stopped after \(seconds) s"
                    : Self.message("\(folder)/\(part.name).err") ?? "ended with \(status)"
            }
            parts.append(part)
        }
    }

    private mutating func take(_ part: String, _ folder: String, _ index: Int) throws {
        func field(_ ending: String) throws -> JSONField {
            try JSONField(parsing: try Input.file("\(folder)/\(part)\(ending)"), name: part)
        }
        switch part.split(separator: "-").first {
        case "devices":
            let all = try field(".out").array()
            devices = all.compactMap(\.content)
            guard all.indices.contains(index) else { return }
            device = (
                try all[index]["name"].string(), try all[index]["kind"].string(),
                try "\(all[index]["driver"].string()) \(all[index]["driver_info"].string())"
            )
        case "selftest":
            var found: (passed: Int, failures: [String]) = (0, [])
            for line in Input.lines(try Input.file("\(folder)/\(part).out")) {
                let outcome = try JSONField(parsing: Array(line), name: part)
                if let failure = try outcome["failure"].present {
                    found.failures.append(
                        try "\(outcome["kernel"].string()), \(outcome["case"].string()): \(failure.string())")
                } else {
                    found.passed += 1
                }
            }
            selfTest = found
        case "kernels": profiles.append((part, try Profile(field(".json"))))
        case "synthetic": synthetic.append(try field(".out"))
        case "start": start = try field(".out").content
        case "torch": torch = try field(".out").present
        default: throw CommandError("\(part): expected the name of a known part")
        }
    }

    /// A failed command's message: the line with its error, without the usage below it; else its last line.
    private static func message(_ path: String) -> String? {
        guard let bytes = try? Input.file(path) else { return nil }
        let lines = Input.lines(bytes).map { String(decoding: $0, as: UTF8.self) }.filter { !$0.isEmpty }
        return lines.last { $0.hasPrefix("Error: ") } ?? lines.last
    }

    func failure(of part: String) -> String? { parts.first { $0.name == part }?.failure }

    /// Whether no figure is a GPU's: the device is a software driver, or none was found.
    var isWithoutGPU: Bool { !["discrete", "integrated", "virtual"].contains(device.kind) }

    /// "gpu-report-" and the device's name in lower-case letters and digits.
    var fileName: String {
        let words = device.name.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
        return "gpu-report-" + words.prefix(6).joined(separator: "-")
    }

    func profile(_ part: String) -> Profile? { profiles.first { $0.part == "kernels-\(part)" }?.profile }

    func syntheticModel(_ name: String) throws -> JSONField? {
        try synthetic.first { try $0["model"].string().hasPrefix(name + ",") }
    }
}
