import Checkpoint
import JSON
import Numerics

/// What a conversion wrote, or would write, for people and for programs.
struct ConvertReport {
    private let plan: ConversionPlan
    /// Nil before the conversion.
    private let result: ConversionResult?
    private let evaluation: ConvertEvaluation.Result?
    private let folders: (source: String, target: String)

    init(
        _ plan: ConversionPlan, _ result: ConversionResult?, evaluation: ConvertEvaluation.Result? = nil,
        source: String, target: String
    ) {
        self.plan = plan
        self.result = result
        self.evaluation = evaluation
        folders = (source, target)
    }

    func text(json: Bool) -> String { json ? self.json : table }

    private var table: String {
        let width = plan.files.map(\.name.count).max() ?? 0
        var lines: [String] = []
        // Of shards, whose sizes say nothing, the sum alone.
        for file in plan.files where file.rank != nil || result == nil {
            lines.append(
                file.name.padded(to: width) + "  \(file.tensorCount) tensors  \(byteText(file.byteCount))")
        }
        lines.append("\(plan.files.count) files, \(byteText(plan.byteCount))")
        for part in parts {
            let error = fixed(part.sum.value * 100, 3)
            let worst = fixed(part.worst.error.value * 100, 3)
            lines.append(
                "\(part.name): \(part.count) matrices, relative error \(error)%, at most \(worst)% (\(part.worst.name))"
            )
        }
        lines += evaluation?.lines(source: folders.source, target: folders.target) ?? []
        return lines.joined(separator: "\n") + "\n"
    }

    private var json: String {
        var members = [
            JSONMember("byte_count", JSONValue(plan.byteCount)),
            JSONMember(
                "files",
                .array(
                    plan.files.map {
                        [
                            "name": .string($0.name), "tensors": JSONValue($0.tensorCount),
                            "byte_count": JSONValue($0.byteCount),
                        ]
                    })),
        ]
        if let result {
            members.append(JSONMember("kept_files", .array(result.keptFiles.map(JSONValue.string))))
            members.append(
                JSONMember(
                    "quantized",
                    .array(
                        result.quantized.map {
                            ["name": .string($0.name), "relative_error": JSONValue($0.error.value)]
                        })))
        }
        if let evaluation { members.append(JSONMember("perplexity", evaluation.json)) }
        return JSONValue.object(members).serialized(pretty: true) + "\n"
    }

    private struct Part {
        var name: String
        var count = 0
        var sum = RelativeError()
        var worst: ConversionResult.Quantized
    }

    /// The quantised tensors by the model's parts.
    private var parts: [Part] {
        var parts: [Part] = []
        for tensor in result?.quantized ?? [] {
            let name = tensor.part == .denseFeedForward ? "dense layers" : tensor.part.rawValue
            if !parts.contains(where: { $0.name == name }) { parts.append(Part(name: name, worst: tensor)) }
            for index in parts.indices where parts[index].name == name {
                parts[index].count += 1
                parts[index].sum += tensor.error
                if tensor.error.value > parts[index].worst.error.value { parts[index].worst = tensor }
            }
        }
        return parts
    }
}
