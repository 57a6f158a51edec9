import GPU
import Numerics
import Shaders

/// Sorts the assignments a = t · k + slot by expert, and by a within an expert: those of expert e become
/// assignments[offsets[e] ..< offsets[e + 1]]. Each expert's assignments are cut into tiles of some rows, listed as (e, first
/// index in assignments). The number of tiles becomes the number of workgroups of the products.
///
/// `experts: [T, k], U32`; `offsets: [E + 1], U32`; `assignments: [T · k], U32`; `tiles: [at most, 2], U32`;
/// `dispatches: [2, 4], U32`. Source: the loop over experts of `MoE.forward` in DeepSeek-V3's inference/model.py.
public struct ExpertSort: Kernel {
    public static let name = "expert_sort"
    let experts: Tensor
    let offsets: Tensor
    let assignments: Tensor
    let tiles: Tensor
    let dispatches: Tensor
    let tileRows: Int
    let rowGroups: [Int]

    public init(experts: Tensor, groups: ExpertGroups) {
        precondition(experts.pitch == experts.columns, "expert_sort: pitch \(experts.pitch)")
        precondition(
            groups.assignments.rows == experts.rows * experts.columns && (2...513).contains(groups.offsets.rows),
            "expert_sort: \(groups.assignments.shape) from \(experts.shape), \(groups.offsets.shape)")
        self.experts = experts
        offsets = groups.offsets
        assignments = groups.assignments
        tiles = groups.tiles
        dispatches = groups.dispatches
        tileRows = groups.tileRows
        rowGroups = groups.rowGroups
    }

    public var operands: [KernelOperand] {
        [.read(experts), .write(offsets), .write(assignments), .write(tiles), .write(dispatches)]
    }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = ExpertSortShader(
            params: .init(
                count: UInt32(assignments.rows), expertCount: UInt32(offsets.rows - 1), tileRows: UInt32(tileRows),
                rowGroups0: UInt32(rowGroups[0]), rowGroups1: UInt32(rowGroups[1])),
            bindings: .init(
                experts: experts.view, offsets: offsets.view, assignments: assignments.view, tiles: tiles.view,
                dispatches: dispatches.view))
        try commands.dispatch(shader, groups: (1, 1, 1))
    }

    public func reference() {
        var next = 0
        var tileCount = 0
        for expert in 0..<offsets.rows - 1 {
            offsets.words[expert] = UInt32(next)
            let first = next
            for a in 0..<assignments.rows where experts.words[a] == UInt32(expert) {
                assignments.words[next] = UInt32(a)
                next += 1
            }
            for place in stride(from: first, to: next, by: tileRows) {
                tiles.words[2 * tileCount] = UInt32(expert)
                tiles.words[2 * tileCount + 1] = UInt32(place)
                tileCount += 1
            }
        }
        offsets.words[offsets.rows - 1] = UInt32(next)
        for product in 0..<2 {
            for (index, word) in [tileCount, rowGroups[product], 1, 0].enumerated() {
                dispatches.words[4 * product + index] = UInt32(word)
            }
        }
    }

    public var cost: Cost {
        Cost(byteCount: 12 * assignments.rows + 4 * offsets.rows + 8 * tiles.rows, flopCount: 0)
    }
    public var tolerance: Tolerance { Tolerance(0, because: "integers") }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        [(1, 8, 256), (7, 3, 9), (43, 3, 16), (2048, 8, 256), (127, 8, 384), (300, 1, 1)].map { tokens, topK, count in
            KernelCase("\(tokens) × \(topK) of \(count)") { bench throws(GPUError) in
                let experts = try sampleExperts(&bench, tokens: tokens, topK: topK, of: count)
                return ExpertSort(
                    experts: experts,
                    groups: try .init(
                        assignments: tokens * topK, experts: count, .bf16, productRows: [100, 200], on: bench.target
                    ) { name, shape throws(GPUError) in try bench.output(name, .u32, shape) })
            }
        }
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        guard let experts = model.experts, phase == .prefill else { return [] }
        let topK = experts.rule.topK
        return [
            ModelCase("expert_sort of \(experts.count)") { bench, tokens throws(GPUError) in
                let ids = try sampleExperts(&bench, tokens: tokens, topK: topK, of: experts.count)
                return ExpertSort(
                    experts: ids,
                    groups: try .init(
                        assignments: tokens * topK, experts: experts.count, model.format,
                        productRows: [experts.intermediateSize, model.hiddenSize], on: bench.target
                    ) { name, shape throws(GPUError) in try bench.output(name, .u32, shape) })
            }
        ]
    }
}
