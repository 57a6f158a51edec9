import Cache
import GPU
import Numerics
import Shaders

/// One layer's paged latent cache and how tokens find their entries in it.
///
/// `entries: [pages · 64, P]`, F32 or BF16, where P is kvLoraRank + qkRopeHeadDim rounded up to a multiple of 8, filled with
/// zeros; `pageTable: [sequences, maxPages], U32`; `positions, sequences: [T], U32`, of each token.
public struct CacheView: Sendable {
    public static let pageTokenCount = CacheLayout.pageTokenCount
    public let entries, pageTable, positions, sequences: Tensor
    /// The sum of the tokens' numbers of keys, for `cost`; nil to count the page table's whole width for each token.
    public let keyTotal: Int?

    public init(entries: Tensor, pageTable: Tensor, positions: Tensor, sequences: Tensor, keyTotal: Int? = nil) {
        precondition(entries.pitch == entries.columns && positions.rows == sequences.rows, "cache: \(entries.shape)")
        self.entries = entries
        self.pageTable = pageTable
        self.positions = positions
        self.sequences = sequences
        self.keyTotal = keyTotal
    }

    var maxPages: Int { pageTable.columns }
    var isBF16: Bool { entries.type == .bf16 }

    /// The row in `entries` for a position of a token's sequence.
    func entry(token: Int, position: Int) -> Int {
        let sequence = Int(sequences.words[token])
        let page = Int(pageTable.words[sequence * pageTable.pitch + position / Self.pageTokenCount])
        return page * Self.pageTokenCount + position % Self.pageTokenCount
    }

    /// Sequences with shuffled pages; token i has the given position in sequence i mod `sequences`.
    static func sample(
        _ bench: inout Workbench, _ shape: MLAShape, positions: [Int], sequences: Int = 2, type: ElementType,
        filled: Bool
    ) throws(GPUError) -> CacheView {
        let maxPages = (positions.max() ?? 0) / pageTokenCount + 1
        var pages = (0..<sequences * maxPages).map { UInt32($0) }
        pages.shuffle(using: &bench.random)
        let rows = sequences * maxPages * pageTokenCount
        let entries = try bench.tensor(
            "cache", type, [rows, shape.paddedEntryWidth], filled ? .normal(1) : .poison, pitch: shape.paddedEntryWidth)
        return CacheView(
            entries: filled ? bench.padded(entries, shape) : entries,
            pageTable: try bench.tensor("pageTable", .u32, [sequences, maxPages], .words(pages)),
            positions: try bench.tensor("positions", .u32, [positions.count], .words(positions.map { UInt32($0) })),
            sequences: try bench.tensor(
                "sequences", .u32, [positions.count], .words(positions.indices.map { UInt32($0 % sequences) })),
            keyTotal: positions.reduce(0) { $0 + $1 + 1 })
    }
}

/// Appends each token's latent and rotated key to the cache:
/// entry = (RMSNorm(kv[t, :C]) · weight, rope(kv[t, C:], position)).
///
/// `kv: [T, C + R], F32`; `weight: [1, C], F32`; `frequencies: [1, R/2], F32`.
/// Source: `MLA.forward` in DeepSeek-V3's inference/model.py.
public struct KVCacheAppend: Kernel {
    public static let name = "kv_cache_append"
    let shape: MLAShape
    let kv: Tensor
    let weight: Tensor
    let frequencies: Tensor
    let entries: Tensor
    let pageTable: Tensor
    let positions: Tensor
    let sequences: Tensor
    let cache: CacheView
    let epsilon: Float
    let ropeFactor: Float

    public init(
        shape: MLAShape, kv: Tensor, weight: Tensor, frequencies: Tensor, cache: CacheView, epsilon: Float,
        ropeFactor: Float
    ) {
        precondition(
            kv.columns == shape.entryWidth && cache.entries.columns == shape.paddedEntryWidth,
            "kv_cache_append: \(kv.shape)")
        self.shape = shape
        self.kv = kv
        self.weight = weight
        self.frequencies = frequencies
        self.cache = cache
        entries = cache.entries
        pageTable = cache.pageTable
        positions = cache.positions
        sequences = cache.sequences
        self.epsilon = epsilon
        self.ropeFactor = ropeFactor
    }

    public var operands: [KernelOperand] {
        .read(kv, weight, frequencies, pageTable, positions, sequences) + [.readWrite(entries)]
    }

    public func encode(into commands: inout Commands) throws(GPUError) {
        let shader = KvCacheAppendShader(
            constants: .init(cacheBf16: cache.isBF16),
            params: .init(
                latentWidth: UInt32(shape.kvLoraRank), ropeWidth: UInt32(shape.qkRopeHeadDim),
                width: UInt32(shape.paddedEntryWidth), kvPitch: UInt32(kv.pitch),
                maxPages: UInt32(cache.maxPages), epsilon: epsilon, ropeFactor: ropeFactor),
            bindings: .init(
                kv: kv.view, weight: weight.view, frequencies: frequencies.view, positions: positions.view,
                sequences: sequences.view,
                pageTable: pageTable.view, cache: entries.view))
        try commands.dispatch(shader, groups: (kv.rows, 1, 1))
    }

    public func reference() {
        for token in 0..<kv.rows {
            let row = kv.decodedRow(token)
            let position = Int(positions.words[token])
            let entry = cache.entry(token: token, position: position)
            let latent = rmsNorm(Array(row[..<shape.kvLoraRank]), weight.floats, epsilon: epsilon)
            for i in latent.indices { entries.store(latent[i], row: entry, column: i) }
            let key = rotate(
                Array(row[shape.kvLoraRank...]), position: position, frequencies: frequencies.floats, factor: ropeFactor
            )
            for i in key.indices { entries.store(key[i], row: entry, column: shape.kvLoraRank + i) }
            for i in shape.entryWidth..<shape.paddedEntryWidth { entries.store(0, row: entry, column: i) }
        }
    }

    public var cost: Cost {
        Cost(
            byteCount: kv.rows * shape.entryWidth * (4 + entries.type.byteCount),
            flopCount: 4 * kv.rows * shape.entryWidth)
    }

    public var tolerance: Tolerance {
        cache.isBF16
            ? Tolerance(0x1p-7, because: "FP32 results next to a rounding boundary may round to the neighbouring BF16")
            : Tolerance(2e-3, because: "the device's sine and cosine, to an absolute 2^-11 over large angles")
    }

    public static func cases(on profile: DeviceProfile) -> [KernelCase] {
        MLAShape.samples.flatMap { name, shape in
            [ElementType.f32, .bf16].map { type in
                KernelCase("\(name), \(type)") { bench throws(GPUError) in
                    let positions = [0, 5, 63, 64, 131, 17, 200]
                    let cache = try CacheView.sample(&bench, shape, positions: positions, type: type, filled: true)
                    return KVCacheAppend(
                        shape: shape, kv: try bench.tensor("kv", [positions.count, shape.entryWidth]),
                        weight: try bench.tensor("weight", [1, shape.kvLoraRank]),
                        frequencies: try bench.frequencies(shape.qkRopeHeadDim), cache: cache, epsilon: 1e-6,
                        ropeFactor: 1)
                }
            }
        }
    }

    public static func modelCases(_ model: ModelDimensions, _ phase: KernelPhase) -> [ModelCase] {
        let shape = model.attention
        return [
            ModelCase { bench, tokens throws(GPUError) in
                KVCacheAppend(
                    shape: shape, kv: try bench.tensor("kv", [tokens, shape.entryWidth]),
                    weight: try bench.tensor("weight", [1, shape.kvLoraRank]),
                    frequencies: try bench.frequencies(shape.qkRopeHeadDim),
                    cache: try bench.cache(of: model, phase, tokens: tokens), epsilon: model.epsilon, ropeFactor: 1)
            }
        ]
    }
}

extension ModelDimensions {
    /// The tokens' positions: in decode each sequence's last key; in prefill the last keys of one sequence.
    func positions(_ phase: KernelPhase, tokens: Int) -> [Int] {
        let keys = keyCount(phase)
        return phase == .decode ? Array(repeating: keys - 1, count: tokens) : Array(keys - tokens..<keys)
    }

    /// The splits of a decode step.
    func splits(tokens: Int, on device: (any Target)?) -> AttentionSplits {
        AttentionSplits(heads: attention.heads, keyCount: keyCount(.decode), isAlone: tokens == 1, on: device?.profile)
    }
}

extension Workbench {
    /// The frequencies of RoPE without scaling: 10000^(−2i/R).
    mutating func frequencies(_ ropeWidth: Int) throws(GPUError) -> Tensor {
        let values = (0..<ropeWidth / 2).map { exponential(-Float(2 * $0) / Float(ropeWidth) * 9.210_340_4) }
        return try tensor("frequencies", [1, ropeWidth / 2], .floats(values))
    }

    /// An absorbed query, as `MLAQuery` writes it.
    mutating func absorbedQuery(_ shape: MLAShape, tokens: Int) throws(GPUError) -> Tensor {
        padded(try tensor("query", .f32, [tokens, shape.heads * shape.paddedEntryWidth]), shape)
    }

    /// The tensor with zeros in the padding of its entries or queries.
    fileprivate func padded(_ tensor: Tensor, _ shape: MLAShape) -> Tensor {
        guard !isUnfilled, shape.entryWidth < shape.paddedEntryWidth else { return tensor }
        for row in 0..<tensor.rows {
            for column in 0..<tensor.columns where column % shape.paddedEntryWidth >= shape.entryWidth {
                tensor.store(0, row: row, column: column)
            }
        }
        return tensor
    }

    mutating func positions(_ positions: [Int]) throws(GPUError) -> Tensor {
        try tensor("positions", .u32, [positions.count], .words(positions.map { UInt32($0) }))
    }

    /// kv_b_proj: `[heads · (nope + v), C]`.
    mutating func expansionWeight(_ shape: MLAShape, _ format: WeightFormat) throws(GPUError) -> Weight {
        try weight(
            "kv_b_proj", rows: shape.heads * (shape.qkNopeHeadDim + shape.vHeadDim), columns: shape.kvLoraRank, format)
    }

    /// The cache of a step of a model.
    mutating func cache(
        of model: ModelDimensions, _ phase: KernelPhase, tokens: Int
    ) throws(GPUError) -> CacheView {
        try .sample(
            &self, model.attention, positions: model.positions(phase, tokens: tokens),
            sequences: phase == .decode ? tokens : 2, type: .f32, filled: true)
    }
}
