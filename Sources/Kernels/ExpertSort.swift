import GPU
import Numerics
import Shaders

/// Assignments a = t · k + slot sorted by expert, ascending a within one: expert e's are
/// assignments[offsets[e] ..< offsets[e + 1]].
///
/// `experts: [T, k], U32`; `offsets: [E + 1], U32`; `assignments: [T · k], U32`.
/// Source: the loop over experts of `MoE.forward` in DeepSeek-V3's inference/model.py.
public struct ExpertSort: Kernel {
    public static let name = "expert_sort"
    let experts: Tensor
    let offsets: Tensor
    let assignments: Tensor

    public init(experts: Tensor, offsets: Tensor, assignments: Tensor) {
        precondition(
            experts.pitch == experts.columns && offsets.columns == 1 && assignments.columns == 1, "expert_sort: pitches"
        )
        precondition(
            assignments.rows == experts.rows * experts.columns && (2...513).contains(offsets.rows),
            "expert_sort: \(assignments.shape) from \(experts.shape), \(offsets.shape)")
        self.experts = experts
        self.offsets = offsets
        self.assignments = assignments
    }

    public var outputs: [Tensor] { [offsets, assignments] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = ExpertSortShader(
            params: .init(count: UInt32(assignments.rows), expertCount: UInt32(offsets.rows - 1)),
            bindings: .init(experts: experts.view, offsets: offsets.view, assignments: assignments.view))
        try commands.dispatch(shader, groups: (1, 1, 1))
    }

    public func reference() {
        var next = 0
        for expert in 0..<offsets.rows - 1 {
            offsets.words[expert] = UInt32(next)
            for a in 0..<assignments.rows where experts.words[a] == UInt32(expert) {
                assignments.words[next] = UInt32(a)
                next += 1
            }
        }
        offsets.words[offsets.rows - 1] = UInt32(next)
    }

    public var cost: Cost { Cost(byteCount: 12 * assignments.rows + 4 * offsets.rows, flopCount: 0) }
    public var tolerance: Tolerance { Tolerance(0, because: "integers") }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        [(1, 8, 256), (7, 3, 9), (43, 3, 16), (2048, 8, 256), (127, 8, 384), (300, 1, 1)].map { tokens, topK, count in
            KernelCase("\(tokens) × \(topK) of \(count)") { bench throws(GPUError) in
                ExpertSort(
                    experts: try sampleExperts(&bench, tokens: tokens, topK: topK, of: count),
                    offsets: try bench.output("offsets", .u32, [count + 1]),
                    assignments: try bench.output("assignments", .u32, [tokens * topK]))
            }
        }
    }
}
