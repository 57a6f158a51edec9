import GPU
import Numerics
import Shaders

/// y[t, :] = table[index(t), :], for embeddings, cache entries and rows of activations. index(t) = indices[t], or, where row t
/// has a source, chosen[sources[t]]: a token that an earlier step chose.
///
/// `indices: [T], U32`; `table: [rows, width]` in F32, BF16 or F16; `y: [T, width], F32`.
/// Source: `ParallelEmbedding` in DeepSeek-V3's inference/model.py.
public struct Gather: Kernel {
    public static let name = "gather"

    /// Tokens that an earlier step chose, and which rows take them.
    public struct Chosen: Sendable {
        /// `[T], U32`: indices into `tokens`, or `noSource` for rows that take their own index.
        public let sources: Tensor
        /// `[n], U32`
        public let tokens: Tensor
        public init(sources: Tensor, tokens: Tensor) {
            self.sources = sources
            self.tokens = tokens
        }
    }
    public static let noSource = UInt32.max

    let indices: Tensor
    let chosen: Chosen?
    let table: Weight
    let y: Tensor
    /// Bytes of one binding at most; nil for the device's limit. A larger table takes several dispatches.
    var bindingLimit: Int?

    public init(indices: Tensor, chosen: Chosen? = nil, table: Weight, y: Tensor) {
        precondition(
            y.columns == table.columns && y.rows == indices.rows,
            "gather: \(y.shape) from \(indices.shape), \(table.codes.shape)")
        precondition(table.scales == nil, "gather: a table of \(table.format)")
        precondition(chosen.map { $0.sources.rows == indices.rows } ?? true, "gather: sources of \(indices.shape)")
        self.indices = indices
        self.chosen = chosen
        self.table = table
        self.y = y
    }

    public var operands: [KernelOperand] { .read(indices, chosen?.sources, chosen?.tokens, table) + [.write(y)] }

    public func encode(into commands: inout Commands) throws(GPUError) {
        for slab in table.slabs(
            of: 0..<table.codes.rows, limit: bindingLimit ?? commands.profile.maxStorageBufferRange)
        {
            let shader = GatherShader(
                constants: .init(format: table.formatConstant, chosen: chosen != nil),
                params: .init(
                    firstRow: UInt32(slab.lowerBound), rowCount: UInt32(slab.count), width: UInt32(y.columns),
                    chunkPitch: UInt32(table.chunkPitch), yPitch: UInt32(y.pitch)),
                bindings: .init(
                    indices: indices.view, table: table.codes.rows(slab).view,
                    sources: (chosen?.sources ?? indices).view, chosen: (chosen?.tokens ?? indices).view, y: y.view))
            try commands.dispatch(shader, groups: (indices.rows, ceilDivide(y.columns, 256), 1))
        }
    }

    public func reference() {
        for t in 0..<indices.rows {
            var index = indices.words[t]
            if let chosen, chosen.sources.words[t] != Self.noSource {
                index = chosen.tokens.words[Int(chosen.sources.words[t])]
            }
            let row = table.decodedRow(Int(index))
            for column in row.indices { y.floats[t * y.pitch + column] = row[column] }
        }
    }

    public var cost: Cost { Cost(byteCount: y.rows * y.columns * (4 + table.codes.type.byteCount), flopCount: 0) }
    public var tolerance: Tolerance { Tolerance(0, because: "a copy") }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        // Rows of y, rows and width of the table, its format, rows of one binding.
        let shapes: [(Int, Int, Int, WeightFormat, Int?)] = [
            (1, 50, 7168, .bf16, nil), (7, 300, 320, .f16, nil), (5, 31, 101, .f32, nil), (64, 512, 256, .bf16, nil),
            (64, 300, 101, .bf16, 48),
        ]
        return shapes.map { count, rows, width, format, bound in
            let label = "\(count) of \(rows) rows of \(width), \(format)\(bound.map { ", bound by \($0) rows" } ?? "")"
            return KernelCase(label) { bench throws(GPUError) in
                let ids = (0..<count).map { _ in UInt32(bench.random.next() % UInt64(rows)) }
                var kernel = Gather(
                    indices: try bench.tensor("indices", .u32, [count], .words(ids)),
                    table: try bench.weight("table", rows: rows, columns: width, format),
                    y: try bench.output("y", [count, width]))
                kernel.bindingLimit = bound.map { $0 * format.pitchByteCount(width) }
                return kernel
            }
        } + [
            KernelCase("7 of 300 rows of 320, bf16, some chosen before") { bench throws(GPUError) in
                let (ids, sources) = (
                    [5, 0, 299, 7, 8, 9, 10] as [UInt32], [noSource, 2, 0, noSource, 1, 2, noSource]
                )
                return Gather(
                    indices: try bench.tensor("indices", .u32, [7], .words(ids)),
                    chosen: Chosen(
                        sources: try bench.tensor("sources", .u32, [7], .words(sources)),
                        tokens: try bench.tensor("chosen", .u32, [3], .words([100, 200, 298]))),
                    table: try bench.weight("table", rows: 300, columns: 320, .bf16),
                    y: try bench.output("y", [7, 320]))
            }
        ]
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        // A table as large as a model's takes long to fill, and a smaller one has rows far apart too.
        let (rows, width) = (min(model.vocabularySize, 8192), model.hiddenSize)
        return [
            ModelCase("embedding") { bench, tokens throws(GPUError) in
                let ids = (0..<tokens).map { _ in UInt32(bench.random.next() % UInt64(rows)) }
                return Gather(
                    indices: try bench.tensor("indices", .u32, [tokens], .words(ids)),
                    table: try bench.weight("table", rows: rows, columns: width, .bf16),
                    y: try bench.output("y", [tokens, width]))
            }
        ]
    }

    public static let codeRules = [CodeRule("gather", wideLoads: 1, subgroups: 4)]
}
