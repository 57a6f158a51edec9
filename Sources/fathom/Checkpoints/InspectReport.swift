import Cache
import Checkpoint
import JSON
import Loading
import Model
import Numerics

/// What a checkpoint holds and where it fits, for people and programs.
struct InspectReport {
    let folder: String
    let config: ModelConfig
    let census: ModelCensus
    let fileCount, tensorCount: Int
    let plans: [DevicePlan]

    init(folder: String, _ checkpoint: Checkpoint, plans: [DevicePlan]) {
        self.folder = folder
        config = checkpoint.config
        census = ModelCensus(checkpoint.weights, checkpoint.tensors)
        fileCount = checkpoint.fileCount
        tensorCount = checkpoint.tensors.count
        self.plans = plans
    }

    private var cacheByteCounts: [(format: CacheLayout.Format, byteCount: Int)] {
        [CacheLayout.Format.f32, .bf16].map { ($0, config.cacheByteCount(elementByteCount: $0 == .f32 ? 4 : 2)) }
    }

    // MARK: For people

    var text: String {
        func row(_ name: String, _ value: String) -> String { name.padded(to: 12) + value + "\n" }
        let prediction = census.shares[.prediction]!.parameterCount
        return row("model", "\(folder), \(config.modelType)")
            + row(
                "parameters",
                "\(countText(census.parameterCount)), \(countText(census.activeParameterCount)) a token"
                    + (prediction > 0 ? "; \(countText(prediction)) more predict a second token" : ""))
            + row("layers", layers)
            + row(
                "context",
                "\(config.maxPositionEmbeddings) tokens, a token's cache "
                    + cacheByteCounts.map { "\(byteText($0.byteCount)) in \($0.format)" }.joined(separator: ", "))
            + row("files", "\(fileCount), \(tensorCount) tensors, \(byteText(census.byteCount))")
            + row(
                "formats",
                census.formats.map { "\($0.type) \(byteText($0.byteCount))" }.joined(separator: ", "))
            + "\n" + parts + plans.map { "\n" + text($0) }.joined()
    }

    private var layers: String {
        let dense = (0..<config.numHiddenLayers).count { !config.isMoE(layer: $0) }
        var parts = ["\(config.numHiddenLayers)"]
        if dense > 0 { parts.append("\(dense) dense") }
        if dense < config.numHiddenLayers {
            let groups = config.nGroup > 1 ? " from \(config.topkGroup) of \(config.nGroup) groups" : ""
            let shared = config.nSharedExperts > 0 ? ", \(config.nSharedExperts) shared" : ""
            parts.append(
                "\(config.numHiddenLayers - dense) with \(config.nRoutedExperts) experts "
                    + "(\(config.numExpertsPerTok) a token\(groups)\(shared))")
        }
        return parts[0] + ": " + parts.dropFirst().joined(separator: ", ")
    }

    private var parts: String {
        func row(_ name: String, _ parameters: String, _ bytes: String, _ share: String) -> String {
            let cells = [parameters, bytes, share].map { String(repeating: " ", count: max(1, 16 - $0.count)) + $0 }
            return name.padded(to: 20) + cells.joined() + "\n"
        }
        let rows = ModelCensus.Part.allCases.compactMap { part -> String? in
            let share = census.shares[part]!
            guard share.byteCount > 0 else { return nil }
            let percent = 100 * Double(share.byteCount) / Double(census.byteCount)
            return row(
                part.rawValue, countText(share.parameterCount), byteText(share.byteCount), "\(fixed(percent, 1))%")
        }
        return row("part", "parameters", "bytes", "of the bytes") + rows.joined()
    }

    private func text(_ plan: DevicePlan) -> String {
        let head = "--device \(plan.choice) (\(plan.name)): \(byteText(plan.budget)) free\n"
        return head
            + plan.options.map { option in
                let sizes =
                    "\(byteText(option.total)) (weights \(byteText(option.weights)), cache \(byteText(option.cache)), "
                    + "intermediate values \(byteText(option.scratch)))"
                let left = census.shares[.prediction]!.byteCount > 0 && !option.predicts
                let result: String
                if option.largestContext > 0 {
                    result =
                        "--context \(option.largestContext) fits: \(sizes)"
                        + (left ? ", without the multi-token prediction" : "")
                } else {
                    let room = max(0, plan.budget - option.cache - option.scratch)
                    result =
                        "does not fit: --context \(option.contextLength) takes \(sizes); "
                        + "a checkpoint of at most \(byteText(room)) of weights would fit"
                }
                return "  --kv-cache \("\(option.kvFormat)".padded(to: 5))\(result)\n"
            }.joined()
    }

    /// "671.0 billion"
    private func countText(_ count: Int) -> String {
        if count >= 1_000_000_000 { return "\(fixed(Double(count) / 1e9, 1)) billion" }
        if count >= 1_000_000 { return "\(fixed(Double(count) / 1e6, 1)) million" }
        return "\(count)"
    }

    // MARK: For programs

    var json: JSONValue {
        .object([
            JSONMember("model", .string(folder)), JSONMember("family", .string(config.modelType)),
            JSONMember("parameters", .init(census.parameterCount)),
            JSONMember("active_parameters", .init(census.activeParameterCount)),
            JSONMember("layers", .init(config.numHiddenLayers)),
            JSONMember(
                "experts",
                .object([
                    JSONMember("routed", .init(config.nRoutedExperts)),
                    JSONMember("shared", .init(config.nSharedExperts)),
                    JSONMember("per_token", .init(config.numExpertsPerTok)),
                    JSONMember("groups", .init(config.nGroup)),
                    JSONMember("groups_per_token", .init(config.topkGroup)),
                ])),
            JSONMember("context", .init(config.maxPositionEmbeddings)),
            JSONMember(
                "cache_bytes_per_token",
                .object(cacheByteCounts.map { JSONMember($0.format.rawValue, .init($0.byteCount)) })),
            JSONMember("files", .init(fileCount)), JSONMember("tensors", .init(tensorCount)),
            JSONMember("bytes", .init(census.byteCount)),
            JSONMember(
                "formats",
                .array(
                    census.formats.map {
                        .object([
                            JSONMember("type", .string($0.type.rawValue)), JSONMember("tensors", .init($0.tensorCount)),
                            JSONMember("bytes", .init($0.byteCount)),
                        ])
                    })),
            JSONMember(
                "parts",
                .array(
                    ModelCensus.Part.allCases.map {
                        .object([
                            JSONMember("part", .string($0.rawValue.replacing(" ", with: "_"))),
                            JSONMember("parameters", .init(census.shares[$0]!.parameterCount)),
                            JSONMember("bytes", .init(census.shares[$0]!.byteCount)),
                        ])
                    })),
            JSONMember("plans", .array(plans.map(json))),
        ])
    }

    private func json(_ plan: DevicePlan) -> JSONValue {
        .object([
            JSONMember("device", .string(plan.choice)), JSONMember("name", .string(plan.name)),
            JSONMember("budget_bytes", .init(plan.budget)),
            JSONMember(
                "options",
                .array(
                    plan.options.map { option in
                        .object([
                            JSONMember("kv_cache", .string(option.kvFormat.rawValue)),
                            JSONMember("fits", .init(option.largestContext > 0)),
                            JSONMember("largest_context", .init(option.largestContext)),
                            JSONMember("prediction", .init(option.predicts)),
                            JSONMember("context", .init(option.contextLength)),
                            JSONMember("weight_bytes", .init(option.weights)),
                            JSONMember("cache_bytes", .init(option.cache)),
                            JSONMember("intermediate_bytes", .init(option.scratch)),
                        ])
                    })),
        ])
    }
}
