import GPU
import Numerics
import Shaders

/// Activations as DeepSeek's FP8 products take them, in FP32: y[t, k] = e4m3(x[t, k] / s) · s, with one s for each 128
/// columns of a row: max(max |x|, 10⁻⁴) / 448, or the power of two next above.
///
/// `x, y: [T, K], F32`. Any product follows; with FP8 weights it is then `fp8_gemm`, in FP32 sums.
/// e4m3(v) is the nearest value, ties to even. x is compared with the middles of neighbouring values times s, rounded to
/// FP32, and s is a product with the FP32 number next to 1/448: Vulkan's division may be off, and all devices and the
/// reference agree bit for bit. An infinity or a NaN stays what it is.
/// Source: `act_quant` in DeepSeek-V3's inference/kernel.py; powers of two where `scale_fmt` is "ue8m0", as in V3.1.
public struct QuantiseRows: Kernel {
    public static let name = "quantise_rows"
    let x: Tensor
    let y: Tensor
    let hasPowerOfTwoScales: Bool

    public init(x: Tensor, y: Tensor, hasPowerOfTwoScales: Bool) {
        precondition(x.shape == y.shape && x.pitch % 4 == 0, "quantise_rows: \(y.shape) from \(x.shape)")
        self.x = x
        self.y = y
        self.hasPowerOfTwoScales = hasPowerOfTwoScales
    }

    public var outputs: [Tensor] { [y] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = QuantiseRowsShader(
            constants: .init(powerOfTwo: hasPowerOfTwoScales),
            params: .init(columns: UInt32(x.columns), xPitch: UInt32(x.pitch), yPitch: UInt32(y.pitch)),
            bindings: .init(x: x.view, y: y.view))
        try commands.dispatch(shader, groups: (ceilDivide(x.columns, 512), x.rows, 1))
    }

    public func reference() {
        for t in 0..<x.rows {
            for first in stride(from: 0, to: x.columns, by: BlockScaling.blockSize) {
                let block = first..<min(first + BlockScaling.blockSize, x.columns)
                let (input, output) = (x.floats + t * x.pitch, y.floats + t * y.pitch)
                let scale = scale(of: block.reduce(0) { max($0, input[$1].magnitude) })
                let values = FP8E4M3.values[...0x7E].map { $0 }
                let middles = zip(values, values.dropFirst()).map { ($0 + $1) / 2 * scale }
                for k in block {
                    guard input[k].isFinite else {
                        output[k] = input[k]
                        continue
                    }
                    let size = input[k].magnitude
                    let code = middles.partitionIndex { $0 >= size }
                    let isTie = code < middles.count && middles[code] == size
                    let nearest = values[isTie && code % 2 == 1 ? code + 1 : code] * scale
                    output[k] = input[k].sign == .minus ? -nearest : nearest
                }
            }
        }
    }

    private func scale(of largest: Float) -> Float {
        let largest = max(largest, 1e-4)
        guard hasPowerOfTwoScales, largest.isFinite else { return largest * (1 / 448) }
        let below = Float(sign: .plus, exponent: largest.exponent - 8, significand: 1)
        return below * 448 >= largest ? below : 2 * below
    }

    public var summary: String { "\(x.rows) × \(x.columns)" }
    public var cost: Cost { Cost(byteCount: 8 * x.rows * x.columns, flopCount: 6 * x.rows * x.columns) }
    public var tolerance: Tolerance { Tolerance(0, because: "single products, compared and never divided") }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        let shapes: [(Int, Int, Float)] = [
            (1, 7168, 1), (5, 131, 3e5), (33, 64, 1e-3), (2, 7, 0), (3, 1536, 1e-6), (7, 2050, 40),
        ]
        return [false, true].flatMap { isRounded in
            let scales = isRounded ? ", scales powers of two" : ""
            return shapes.map { rows, columns, size in
                KernelCase("\(rows) × \(columns), of \(size)\(scales)") { bench throws(GPUError) in
                    QuantiseRows(
                        x: try bench.tensor("x", [rows, columns], .normal(size)),
                        y: try bench.output("y", [rows, columns]), hasPowerOfTwoScales: isRounded)
                }
            } + [
                KernelCase("every middle\(scales)") { bench throws(GPUError) in
                    let values = middlesAndLargest
                    return QuantiseRows(
                        x: try bench.tensor("x", [1, values.count], .floats(values)),
                        y: try bench.output("y", [1, values.count]), hasPowerOfTwoScales: isRounded)
                }
            ]
        }
    }

    /// The middles of all neighbours, by turns below zero, and 448, which makes their scale 1.
    static let middlesAndLargest: [Float] =
        (0..<0x7E).map { ($0 % 2 == 0 ? 1 : -1) * (FP8E4M3.values[$0] + FP8E4M3.values[$0 + 1]) / 2 } + [448]
}

extension [Float] {
    /// The first index whose element is so, of elements that all are from some index on.
    fileprivate func partitionIndex(where isSo: (Float) -> Bool) -> Int {
        var range = startIndex..<endIndex
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            range = isSo(self[middle]) ? range.lowerBound..<middle : middle + 1..<range.upperBound
        }
        return range.lowerBound
    }
}
