import GPU
import Numerics
import Shaders

/// y[t, :] = table[tokens[t], :].
///
/// `tokens: [T], U32`; `table: [rows, width]` in F32, BF16 or F16; `y: [T, width], F32`. Also picks rows of activations.
/// Source: `ParallelEmbedding` in DeepSeek-V3's inference/model.py.
public struct Embedding: Kernel {
    public static let name = "embedding"
    let tokens: Tensor
    let table: Weight
    let y: Tensor
    /// Most bytes of one binding; nil for what the device binds. Larger tables take several dispatches.
    var bindingLimit: Int?

    public init(tokens: Tensor, table: Weight, y: Tensor) {
        precondition(
            y.columns == table.columns && y.rows == tokens.rows,
            "embedding: \(y.shape) from \(tokens.shape), \(table.codes.shape)")
        precondition(table.scales == nil, "embedding: a table of \(table.type)")
        self.tokens = tokens
        self.table = table
        self.y = y
    }

    public var outputs: [Tensor] { [y] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        for slab in table.slabs(
            of: 0..<table.codes.rows, limit: bindingLimit ?? commands.profile.maxStorageBufferRange)
        {
            let shader = EmbeddingShader(
                constants: .init(format: table.format),
                params: .init(
                    firstRow: UInt32(slab.lowerBound), rowCount: UInt32(slab.count), width: UInt32(y.columns),
                    chunkPitch: UInt32(table.chunkPitch), yPitch: UInt32(y.pitch)),
                bindings: .init(tokens: tokens.view, table: table.codes.rows(slab).view, y: y.view))
            try commands.dispatch(shader, groups: (tokens.rows, ceilDivide(y.columns, 256), 1))
        }
    }

    public func reference() {
        for token in 0..<tokens.rows {
            let row = table.decodedRow(Int(tokens.words[token]))
            for column in row.indices { y.floats[token * y.pitch + column] = row[column] }
        }
    }

    public var cost: Cost { Cost(byteCount: y.rows * y.columns * (4 + table.codes.type.byteCount), flopCount: 0) }
    public var tolerance: Tolerance { Tolerance(0, because: "a copy") }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        // Tokens, rows and width of the table, its format, rows of one binding.
        let shapes: [(Int, Int, Int, WeightFormat, Int?)] = [
            (1, 50, 7168, .bf16, nil), (7, 300, 320, .f16, nil), (5, 31, 101, .f32, nil), (64, 512, 256, .bf16, nil),
            (64, 300, 101, .bf16, 48),
        ]
        return shapes.map { count, rows, width, type, bound in
            let label = "\(count) of \(rows) rows of \(width), \(type)\(bound.map { ", bound by \($0) rows" } ?? "")"
            return KernelCase(label) { bench throws(GPUError) in
                let ids = (0..<count).map { _ in UInt32(bench.random.next() % UInt64(rows)) }
                var kernel = Embedding(
                    tokens: try bench.tensor("tokens", .u32, [count], .words(ids)),
                    table: try bench.weight("table", rows: rows, columns: width, type),
                    y: try bench.output("y", [count, width]))
                kernel.bindingLimit = bound.map { $0 * type.pitchByteCount(width) }
                return kernel
            }
        }
    }
}
