import GPU
import Numerics
import Shaders

/// Rounds activations to FP8 as DeepSeek's products do: y[t, k] = e4m3(x[t, k] / s) · s, with one scale s for each 128 columns
/// of a row: s = max(max |x|, 10⁻⁴) / 448, or the next power of two that is not smaller.
///
/// `x, y: [T, K], F32`; codes and scales: see `RowCodes`. A product of y with FP8 weights is `fp8_gemm` with FP32 sums. Matrix
/// units with FP8 inputs take the codes and the scales.
/// e4m3(v) is the nearest value, ties to even. To find it, x is compared with the middles of neighbouring values times s,
/// rounded to FP32, and s is the product with the FP32 number next to 1/448. As nothing is divided, which Vulkan allows to be
/// inexact, all devices and the reference agree in every bit. Infinities and NaN are kept.
/// Source: `act_quant` in DeepSeek-V3's inference/kernel.py; powers of two where `scale_fmt` is "ue8m0", as in V3.1.
public struct QuantiseRows: Kernel {
    public static let name = "quantise_rows"
    let x: Tensor
    let y: Tensor
    let codes: RowCodes?
    let hasPowerOfTwoScales: Bool

    /// - Parameter codes: where the codes and scales are written; nil for y only.
    public init(x: Tensor, y: Tensor, codes: RowCodes? = nil, hasPowerOfTwoScales: Bool) {
        precondition(x.shape == y.shape && x.pitch % 4 == 0, "quantise_rows: \(y.shape) from \(x.shape)")
        precondition(codes.map { $0.fits(x) } ?? true, "quantise_rows: \(codes!.codes.shape) from \(x.shape)")
        self.x = x
        self.y = y
        self.codes = codes
        self.hasPowerOfTwoScales = hasPowerOfTwoScales
    }

    public var operands: [KernelOperand] { [.read(x), .write(y)] + codes.tensors.map { .write($0) } }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = QuantiseRowsShader(
            constants: .init(powerOfTwo: hasPowerOfTwoScales, writesCodes: codes != nil),
            params: .init(
                columns: UInt32(x.columns), xPitch: UInt32(x.pitch), yPitch: UInt32(y.pitch),
                codePitch: UInt32(codes?.codes.pitch ?? 0)),
            // Without codes the shader does not write these two buffers.
            bindings: .init(
                x: x.view, y: y.view, codes: codes?.codes.view ?? y.view, scales: codes?.scales.view ?? y.view))
        try commands.dispatch(shader, groups: (ceilDivide(x.columns, 512), x.rows, 1))
    }

    public func reference() {
        for t in 0..<x.rows {
            for first in stride(from: 0, to: x.columns, by: BlockScaling.blockSize) {
                let block = first..<min(first + BlockScaling.blockSize, x.columns)
                let (input, output) = (x.floats + t * x.pitch, y.floats + t * y.pitch)
                let scale = scale(of: block.reduce(0) { max($0, input[$1].magnitude) })
                codes?.scales.store(scale, row: t, column: first / BlockScaling.blockSize)
                let values = FP8E4M3.values[...0x7E].map { $0 }
                let middles = zip(values, values.dropFirst()).map { ($0 + $1) / 2 * scale }
                for k in block {
                    guard input[k].isFinite else {
                        output[k] = input[k]
                        codes?.codes.bytes[t * codes!.codes.pitch + k] = 0x7F
                        continue
                    }
                    let size = input[k].magnitude
                    let code = middles.partitionIndex { $0 >= size }
                    let isTie = code < middles.count && middles[code] == size
                    let nearest = isTie && code % 2 == 1 ? code + 1 : code
                    let isNegative = input[k].sign == .minus
                    output[k] = (isNegative ? -values[nearest] : values[nearest]) * scale
                    codes?.codes.bytes[t * codes!.codes.pitch + k] = UInt8(nearest) | (isNegative ? 0x80 : 0)
                }
            }
            if let codes {
                for k in x.columns..<codes.codes.columns { codes.codes.bytes[t * codes.codes.pitch + k] = 0 }
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
    public var cost: Cost {
        Cost(byteCount: (codes == nil ? 8 : 9) * x.rows * x.columns, flopCount: 6 * x.rows * x.columns)
    }
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
            }
                + shapes.map { rows, columns, size in
                    KernelCase("\(rows) × \(columns), of \(size), codes\(scales)") { bench throws(GPUError) in
                        try sample(
                            &bench, x: try bench.tensor("x", [rows, columns], .normal(size)),
                            hasPowerOfTwoScales: isRounded)
                    }
                } + [
                    KernelCase("every middle\(scales)") { bench throws(GPUError) in
                        let values = middlesAndLargest
                        return try sample(
                            &bench, x: try bench.tensor("x", [1, values.count], .floats(values)),
                            hasPowerOfTwoScales: isRounded)
                    }
                ]
        }
    }

    /// With codes.
    static func sample(
        _ bench: inout Workbench, x: Tensor, hasPowerOfTwoScales: Bool = false
    ) throws(GPUError) -> QuantiseRows {
        let (columns, blocks) = (RowCodes.columns(x.columns), BlockScaling.blockCount(x.columns))
        return QuantiseRows(
            x: x, y: try bench.output("x in FP8", x.shape),
            codes: RowCodes(
                codes: try bench.tensor("x codes", .fp8E4M3, [x.rows, columns], .poison, pitch: columns),
                scales: try bench.tensor("x scales", .f32, [x.rows, blocks], .poison, pitch: blocks)),
            hasPowerOfTwoScales: hasPowerOfTwoScales)
    }

    /// The middles of all neighbouring values with alternating signs, and 448, which makes the scale 1.
    static let middlesAndLargest: [Float] =
        (0..<0x7E).map { ($0 % 2 == 0 ? 1 : -1) * (FP8E4M3.values[$0] + FP8E4M3.values[$0 + 1]) / 2 } + [448]

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        let width = model.hiddenSize
        return [
            ModelCase { bench, tokens throws(GPUError) in
                QuantiseRows(
                    x: try bench.tensor("x", [tokens, width]), y: try bench.output("y", [tokens, width]),
                    hasPowerOfTwoScales: false)
            }
        ]
    }

    public static let codeRules = [CodeRule("quantise_rows", wideLoads: 1, subgroups: 4)]
}

/// Activations for matrix units with FP8 inputs.
public struct RowCodes: Sendable, TensorHolder {
    /// `[T, K rounded up to a multiple of 16], E4M3`; zeros beyond K.
    let codes: Tensor
    /// `[T, ⌈K/128⌉], F32`
    let scales: Tensor

    public init(codes: Tensor, scales: Tensor) {
        self.codes = codes
        self.scales = scales
    }

    /// Columns of the codes for `count` columns of x.
    public static func columns(_ count: Int) -> Int { ceilDivide(count, 16) * 16 }

    var tensors: [Tensor] { [codes, scales] }

    func fits(_ x: Tensor) -> Bool {
        codes.shape == [x.rows, Self.columns(x.columns)] && codes.type == .fp8E4M3 && codes.pitch == codes.columns
            && scales.shape == [x.rows, BlockScaling.blockCount(x.columns)] && scales.pitch == scales.columns
    }
}

/// Whether `QuantiseRows` rounded a product's activations to FP8, and their codes for matrix units with FP8 inputs.
public enum Rounding: Sendable {
    case none, values
    case codes(RowCodes)

    var isRounded: Bool { if case .none = self { false } else { true } }
    var codes: RowCodes? { if case .codes(let codes) = self { codes } else { nil } }
}

extension Tolerance {
    /// Of products of FP8 codes.
    static let codes = Tolerance(
        0x1p-12, because: "exact products, and sums of a precision that the matrix units choose")
}

extension [Float] {
    /// The first index whose element meets a condition that all elements after it meet too.
    fileprivate func partitionIndex(where isSo: (Float) -> Bool) -> Int {
        var range = startIndex..<endIndex
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            range = isSo(self[middle]) ? range.lowerBound..<middle : middle + 1..<range.upperBound
        }
        return range.lowerBound
    }
}
