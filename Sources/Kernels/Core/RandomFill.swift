import GPU
import Numerics
import Shaders

/// y[i, j] = a random weight that depends on i, j and the seed only; zero in the padding of the rows.
///
/// `y: [rows, columns]`, BF16, FP8 E4M3 or words; the pitch is a whole number of 16-byte chunks. With h = the hash of the
/// index of the element's word and the seed:
/// - BF16: (a + b − 255) · gain for two bytes a and b of h; gain makes the standard deviation `deviation`;
/// - FP8: a byte of h, and ±0 instead of the two codes that are NaN; the weight's scales set the size;
/// - words of packed integers: h; the weight's scales set the size.
///
/// For models without files: their weights are made on the device.
public struct RandomFill: Kernel {
    public static let name = "random_fill"
    let y: Tensor
    let seed: UInt32
    let deviation: Float
    /// Bytes of one binding at most, for tests; nil for the device's limit.
    var bindingLimit: Int?

    /// - Parameter deviation: of BF16 elements.
    public init(y: Tensor, seed: UInt32, deviation: Float = 1) {
        precondition(
            [.bf16, .fp8E4M3, .u32].contains(y.type) && y.pitch * y.type.byteCount % 16 == 0,
            "random_fill: \(y.type), rows of \(y.pitch) elements")
        self.y = y
        self.seed = seed
        self.deviation = deviation
    }

    public var operands: [KernelOperand] { [.write(y)] }
    public var summary: String { "\(y.rows) × \(y.columns), \(y.type)" }

    /// The factor for a sum of two bytes, whose variance is 2 · (256² − 1) / 12.
    private var gain: Float { deviation / Float(10922.5).squareRoot() }
    /// Tensors have seeds that differ in few bits; hashed, each gives a sequence of its own.
    private var mixedSeed: UInt32 { Self.mixed(seed) }
    private var chunkPitch: Int { y.pitch * y.type.byteCount / 16 }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let limit = bindingLimit ?? commands.profile.maxStorageBufferRange
        // Bindings start at multiples of 16 rows, so at multiples of 256 bytes.
        let step = max(16, limit / (chunkPitch * 16) / 16 * 16)
        for first in stride(from: 0, to: y.rows, by: step) {
            let rows = first..<min(first + step, y.rows)
            let chunks = rows.count * chunkPitch
            let shader = RandomFillShader(
                constants: .init(format: y.type == .bf16 ? 1 : y.type == .fp8E4M3 ? 3 : 4),
                params: .init(
                    chunkCount: UInt32(chunks), firstChunk: UInt32(truncatingIfNeeded: first * chunkPitch),
                    chunkPitch: UInt32(chunkPitch), columns: UInt32(y.columns), seed: mixedSeed, gain: gain),
                bindings: .init(y: y.rows(rows).view))
            try commands.dispatch(shader, groups: (min(ceilDivide(chunks, 256), 16384), 1, 1))
        }
    }

    public func reference() {
        let width = 4 / y.type.byteCount
        for row in 0..<y.rows {
            for column in 0..<y.pitch {
                let index = row * y.pitch + column
                let hash = Self.mixed(Self.mixed(UInt32(truncatingIfNeeded: index / width)) &+ mixedSeed)
                let random = hash >> (32 / width * (index % width))
                if y.type == .bf16 {
                    let sum = Float(random & 0xFF) + Float(random >> 8 & 0xFF)
                    y.store(column < y.columns ? (sum - 255) * gain : 0, row: row, column: column)
                } else if y.type == .u32 {
                    y.words[index] = column < y.columns ? random : 0
                } else {
                    let code = UInt8(truncatingIfNeeded: random)
                    y.storage.host![y.byteOffset + index] =
                        column >= y.columns ? 0 : code & 0x7F == 0x7F ? code & 0x80 : code
                }
            }
        }
    }

    /// lowbias32, of C. Wellons' hash-prospector.
    private static func mixed(_ value: UInt32) -> UInt32 {
        var x = value
        x = (x ^ (x >> 16)) &* 0x7FEB_352D
        x = (x ^ (x >> 15)) &* 0x846C_A68B
        return x ^ (x >> 16)
    }

    public var cost: Cost { Cost(byteCount: y.byteCount, flopCount: 0) }
    public var tolerance: Tolerance { Tolerance(0, because: "integers, and one rounding that is the same everywhere") }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        let shapes: [(type: ElementType, rows: Int, columns: Int, limit: Int?)] = [
            (.fp8E4M3, 1, 7168, nil), (.fp8E4M3, 131, 197, nil), (.fp8E4M3, 100, 1408, 40_000),
            (.bf16, 1, 2048, nil), (.bf16, 37, 131, nil), (.bf16, 100, 576, 40_000), (.u32, 37, 17, nil),
        ]
        return shapes.map { type, rows, columns, limit in
            KernelCase(
                "\(rows) × \(columns) \(type)\(limit.map { ", bound by \($0) bytes" } ?? "")"
            ) { bench throws(GPUError) in
                var kernel = RandomFill(
                    y: try bench.tensor("y", type, [rows, columns], .poison, pitch: Tensor.weightPitch(columns)),
                    seed: UInt32(truncatingIfNeeded: bench.random.next()), deviation: 1 / Float(columns).squareRoot())
                kernel.bindingLimit = limit
                return kernel
            }
        }
    }
}
