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

    public init(tokens: Tensor, table: Weight, y: Tensor) {
        precondition(
            y.columns == table.columns && y.rows == tokens.rows,
            "embedding: \(y.shape) from \(tokens.shape), \(table.codes.shape)")
        precondition(table.format != 3, "embedding: tables are not FP8")
        self.tokens = tokens
        self.table = table
        self.y = y
    }

    public var outputs: [Tensor] { [y] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        for slab in table.slabs(limit: commands.device.profile.maxStorageBufferRange) {
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

    public static var cases: [KernelCase] {
        let shapes: [(Int, Int, Int, ElementType)] = [
            (1, 50, 7168, .bf16), (7, 300, 320, .f16), (5, 31, 101, .f32), (64, 512, 256, .bf16),
        ]
        return shapes.map { count, rows, width, type in
            KernelCase("\(count) of \(rows) rows of \(width), \(type)") { bench throws(GPUError) in
                let ids = (0..<count).map { _ in UInt32(bench.random.next() % UInt64(rows)) }
                return Embedding(
                    tokens: try bench.tensor("tokens", .u32, [count], .words(ids)),
                    table: try bench.weight("table", rows: rows, columns: width, type),
                    y: try bench.output("y", [count, width]))
            }
        }
    }
}
