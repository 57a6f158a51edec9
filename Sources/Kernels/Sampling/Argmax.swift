import GPU
import Numerics
import Shaders

/// result[0, r] = index of the largest finite logit of row r, the lowest of equal ones; result[1, r] = number of the row's
/// logits that are Inf or NaN.
///
/// `logits: [rows, count], F32`; `result: [2, rows], U32`.
public struct Argmax: Kernel {
    public static let name = "argmax"
    let logits: Tensor
    let result: Tensor

    public init(logits: Tensor, result: Tensor) {
        precondition(
            result.shape == [2, logits.rows] && logits.pitch % 4 == 0, "argmax: \(result.shape) for \(logits.shape)")
        self.logits = logits
        self.result = result
    }

    public var operands: [KernelOperand] { [.read(logits), .write(result)] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = ArgmaxShader(
            params: .init(count: UInt32(logits.columns), pitch: UInt32(logits.pitch)),
            bindings: .init(logits: logits.view, result: result.view))
        try commands.dispatch(shader, groups: (logits.rows, 1, 1))
    }

    public func reference() {
        for row in 0..<logits.rows {
            let values = logits.decodedRow(row)
            var best: Int?
            for index in values.indices where values[index].isFinite && (best == nil || values[index] > values[best!]) {
                best = index
            }
            result.words[row] = UInt32(best ?? 0)
            result.words[result.pitch + row] = UInt32(values.count { !$0.isFinite })
        }
    }

    public var cost: Cost { Cost(byteCount: 4 * logits.rows * logits.columns, flopCount: logits.rows * logits.columns) }
    public var tolerance: Tolerance { Tolerance(0, because: "an index and a count") }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        [(1, 129_280), (3, 512), (5, 101), (2, 3)].map { rows, count in
            KernelCase("\(rows) rows of \(count)") { bench throws(GPUError) in
                Argmax(
                    logits: try bench.tensor("logits", [rows, count]),
                    result: try bench.output("result", .u32, [2, rows]))
            }
        } + [
            KernelCase("equal values, Inf and NaN") { bench throws(GPUError) in
                var values = [Float](repeating: 1, count: 600)
                for (index, value) in [(7, Float.nan), (9, .infinity), (300, -.infinity), (599, 1)] {
                    values[index] = value
                }
                return Argmax(
                    logits: try bench.tensor("logits", [2, 300], .floats(values)),
                    result: try bench.output("result", .u32, [2, 2]))
            }
        ]
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        guard phase == .decode else { return [] }
        let count = model.vocabularySize
        return [
            ModelCase { bench, tokens throws(GPUError) in
                Argmax(
                    logits: try bench.tensor("logits", [tokens, count]),
                    result: try bench.output("result", .u32, [2, tokens]))
            }
        ]
    }
}
