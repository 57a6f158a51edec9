import GPU
import Numerics
import Shaders

/// Activations for matrix units: y[t] = x[t] / scale[t] in FP16, where scale[t] is the smallest power of two that is not below
/// max |x[t]|.
///
/// `x: [T, K], F32`; `y: [T, K rounded up to a multiple of 8], F16`, zeros beyond K; `scales: [T, 1], F32`. Nothing overflows and
/// the division is exact. A value keeps 11 bits unless it is smaller than 2⁻¹⁴ of the row's largest.
public struct HalfRows: Kernel {
    public static let name = "half_rows"
    let x: Tensor
    let y: Tensor
    let scales: Tensor

    public init(x: Tensor, y: Tensor, scales: Tensor) {
        precondition(
            y.shape == [x.rows, Self.columns(x.columns)] && y.type == .f16 && y.pitch == y.columns
                && scales.shape == [x.rows, 1] && scales.pitch == 1,
            "half_rows: \(y.shape), \(scales.shape) from \(x.shape)")
        self.x = x
        self.y = y
        self.scales = scales
    }

    /// The outputs.
    public var halves: Halves { Halves(x: y, scales: scales) }

    /// Columns of y for `count` columns of x.
    public static func columns(_ count: Int) -> Int { ceilDivide(count, 8) * 8 }

    public var operands: [KernelOperand] { [.read(x), .write(y), .write(scales)] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = HalfRowsShader(
            params: .init(columns: UInt32(x.columns), xPitch: UInt32(x.pitch), yPitch: UInt32(y.pitch)),
            bindings: .init(x: x.view, y: y.view, scales: scales.view))
        try commands.dispatch(shader, groups: (x.rows, 1, 1))
    }

    public func reference() {
        for t in 0..<x.rows {
            let row = x.decodedRow(t)
            let largest = row.map(abs).max()!
            var scale: Float = 1
            if largest > 0 {
                scale = Float(sign: .plus, exponent: largest.exponent, significand: 1)
                if scale < largest { scale *= 2 }
                scale = min(max(scale, 0x1p-125), 0x1p125)
            }
            scales.floats[t] = scale
            for k in 0..<y.columns { y.store(k < row.count ? row[k] / scale : 0, row: t, column: k) }
        }
    }

    public var summary: String { "\(x.rows) × \(x.columns)" }
    public var cost: Cost {
        Cost(byteCount: x.rows * (4 * x.columns + 2 * y.columns + 4), flopCount: 2 * x.rows * x.columns)
    }
    public var tolerance: Tolerance { Tolerance(0x1p-11, because: "a device may round to FP16 the other way") }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        [(1, 7168, Float(1)), (5, 131, 3e5), (33, 64, 1e-3), (2, 7, 0)].map { rows, columns, size in
            KernelCase("\(rows) × \(columns), of \(size)") { bench throws(GPUError) in
                try sample(&bench, x: try bench.tensor("x", [rows, columns], .normal(size)))
            }
        }
    }

    public static func sample(_ bench: inout Workbench, x: Tensor) throws(GPUError) -> HalfRows {
        let columns = columns(x.columns)
        return HalfRows(
            x: x, y: try bench.tensor("half rows", .f16, [x.rows, columns], .poison, pitch: columns),
            scales: try bench.tensor("row scales", .f32, [x.rows, 1], .poison, pitch: 1))
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        guard phase == .prefill else { return [] }
        let width = model.hiddenSize
        return [
            ModelCase { bench, tokens throws(GPUError) in
                try sample(&bench, x: try bench.tensor("x", [tokens, width]))
            }
        ]
    }
}

/// Activations for matrix units with FP16 inputs, as `HalfRows` writes them.
public struct Halves: Sendable, TensorHolder {
    let x, scales: Tensor
    var tensors: [Tensor] { [x, scales] }

    func fits(_ x: Tensor) -> Bool { self.x.shape == [x.rows, HalfRows.columns(x.columns)] }

    /// Computed on the host, for a case of a kernel that takes them.
    static func sample(_ bench: inout Workbench, of x: Tensor) throws(GPUError) -> Halves {
        let kernel = try HalfRows.sample(&bench, x: x)
        if !bench.isUnfilled { kernel.reference() }
        return kernel.halves
    }
}

extension Tolerance {
    /// Of products of FP16 activations. Each term has a random relative error of up to 2⁻¹¹, so the sum has about the same, times
    /// 5 for the worst. Integer weights are rounded too after scaling: together √2 times as much.
    static func halves(with weights: WeightFormat) -> Tolerance {
        if case .integers = weights {
            return Tolerance(0x1.7p-9, because: "activations and weights rounded to FP16, and sums in another order")
        }
        return Tolerance(0x1p-9, because: "activations rounded to FP16, and sums in another order")
    }
}
