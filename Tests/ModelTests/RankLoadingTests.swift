import Checkpoint
import FixtureSupport
import JSON
import Kernels
import Program
import Testing

@testable import Loading
@testable import Model

/// A rank's part of a model, loaded from a whole checkpoint: the bytes that `fathom convert --ranks` writes for the rank.
struct RankLoadingTests {
    /// Sizes of which each of two ranks gets whole blocks of 128.
    private static let even: [String: JSONValue] = [
        "hidden_size": 128, "intermediate_size": 256, "moe_intermediate_size": 256, "q_lora_rank": 128,
        "kv_lora_rank": 128, "qk_nope_head_dim": 128, "qk_rope_head_dim": 128, "v_head_dim": 128,
    ]

    /// BF16 with a compressed query and without, of padded rows (24 columns a rank) too.
    @Test(arguments: [(Oracle.v2BF16, 2), (.v2BF16, 4), (.v2LiteBF16, 4), (.moonlightBF16, 2)])
    func bf16(oracle: Oracle, rankCount: Int) throws { try compare(oracle.folder(), rankCount: rankCount) }

    /// FP8 with block scales, and a prediction layer.
    @Test func fp8() throws {
        try TinyCheckpoint(Self.even).open { try compare($0, rankCount: 2) }
    }

    @Test(arguments: [ConversionOptions.Format.int4, .int8], [2, 4])
    func integers(format: ConversionOptions.Format, rankCount: Int) throws {
        let folder = try TemporaryFolder()
        let packed = folder.path + "/packed"
        _ = try ConversionPlan(
            ConversionSource(folder: Oracle.v2BF16.folder()), ConversionOptions(format: format, groupSize: 32)
        ).run(into: packed)
        try compare(packed, rankCount: rankCount)
    }

    private func compare(_ source: String, rankCount: Int) throws {
        let folder = try TemporaryFolder()
        let target = folder.path + "/split"
        _ = try ConversionPlan(ConversionSource(folder: source), ConversionOptions(rankCount: rankCount)).run(
            into: target)
        let whole = try Checkpoint(.folder(source))
        for index in 0..<rankCount {
            let rank = Rank(index, of: rankCount)
            var loader = try WeightLoader(
                source: whole, memory: HostMemory(), rank: rank)
            let loaded = Loaded(try loader.model(predicts: whole.hasMTP), rank)
            let file = try Checkpoint(.folder(target), rank: rank)
            var tensorCount = 0
            for weight in whole.weights {
                guard let stored = file.stored(weight.role) else {
                    #expect(weight.split == .experts && loaded[weight.role] == nil, "\(rank): \(weight.name)")
                    continue
                }
                let tensors = [stored.codes, stored.scales, stored.packedShape].compactMap { $0 }
                tensorCount += tensors.count
                // Copies of embedding and head are not loaded.
                if weight.isOptional { continue }
                let found = try #require(loaded[weight.role], "\(rank): \(weight.name)")
                for (tensor, elements) in zip(tensors, found) {
                    #expect(try elements == Self.elements(tensor, of: file), "\(rank): \(tensor.name)")
                }
                #expect(tensors.count == found.count, "\(rank): \(weight.name)")
            }
            #expect(tensorCount == file.tensors.count)
        }
    }

    /// A tensor's elements as memory has them: of matrices the bytes, of scales, vectors and shapes the values.
    private static func elements(_ tensor: TensorInfo, of file: Checkpoint) throws -> Elements {
        let isCodes = file.weights.find(tensor.name).map {
            $0.weight.isMatrix && [.elements, .packed].contains($0.component)
        }
        guard isCodes == true else { return .values(try file.floats(TensorSlice(tensor))) }
        var bytes = [UInt8](repeating: 0, count: tensor.byteCount)
        try bytes.withUnsafeMutableBytes { try file.read(tensor, into: $0) }
        return .bytes(bytes)
    }

    enum Elements: Equatable {
        case bytes([UInt8])
        case values([Float])
    }

    @Test func blocksThatRanksWouldCutAreNamed() throws {
        let source = try Oracle.v3FP8.folder()
        func load(_ rank: Rank) throws {
            var loader = try WeightLoader(
                source: try Checkpoint(.folder(source)), memory: HostMemory(),
                rank: rank)
            _ = try loader.model(predicts: true)
        }
        #expect {
            try load(Rank(1, of: 2))
        } throws: {
            "\($0)".contains("to share among 2 ranks") && "\($0)".contains("choose another number of ranks")
        }
        #expect {
            try load(Rank(1, of: 3))
        } throws: {
            "\($0)".contains("n_routed_experts: expected a multiple of the 3 ranks, found 8")
        }
    }
}

/// The contents of each weight in a loaded model, without padding: codes, scales and shape, or a vector's values.
private struct Loaded {
    private var elements: [WeightRole: [RankLoadingTests.Elements]] = [:]
    private let firstExpertShare: (Int) -> Int

    subscript(role: WeightRole) -> [RankLoadingTests.Elements]? { elements[role] }

    init(_ model: ModelWeights, _ rank: Rank) {
        firstExpertShare = { $0 * rank.index }
        add(.embedding, model.embedding)
        add(.finalNorm, model.finalNorm)
        add(.head, model.head)
        for (index, layer) in model.layers.enumerated() { add(index, layer) }
        guard let prediction = model.prediction else { return }
        let index = model.layers.count
        add(.layer(index, .embeddingNorm), prediction.embeddingNorm)
        add(.layer(index, .hiddenNorm), prediction.hiddenNorm)
        add(.layer(index, .predictionNorm), prediction.finalNorm)
        add(.layer(index, .predictionProjection), prediction.projection)
        add(index, prediction.layer)
    }

    private mutating func add(_ index: Int, _ layer: LayerWeights) {
        func role(_ role: LayerRole) -> WeightRole { .layer(index, role) }
        add(role(.inputNorm), layer.inputNorm)
        add(role(.postAttentionNorm), layer.postAttentionNorm)
        let attention = layer.attention
        let query = attention.query == nil ? LayerRole.query : .queryA
        switch attention.input {
        case .stacked(let weight, let queryRows):
            add(role(query), weight, rows: 0..<queryRows)
            add(role(.kvA), weight, rows: queryRows..<weight.rows)
        case .apart(let queryWeight, let kvA):
            add(role(query), queryWeight)
            add(role(.kvA), kvA)
        }
        if let (norm, qB) = attention.query {
            add(role(.queryANorm), norm)
            add(role(.queryB), qB)
        }
        add(role(.kvANorm), attention.kvANorm)
        add(role(.kvB), attention.kvB)
        add(role(.attentionOutput), attention.output)
        switch layer.feedForward {
        case .dense(let network): add(index, network) { .dense($0) }
        case .experts(let experts):
            add(role(.router), experts.router)
            if let bias = experts.bias { add(role(.routerBias), bias) }
            for (projection, bank) in [(Projection.gate, experts.gate), (.up, experts.up), (.down, experts.down)] {
                for (first, weight) in bank.parts {
                    for matrix in 0..<weight.matrixCount {
                        let expert = firstExpertShare(bank.expertCount) + first + matrix
                        add(
                            role(.expert(expert, projection)), weight,
                            rows: matrix * weight.rows..<(matrix + 1) * weight.rows, matrix: matrix)
                    }
                }
            }
            if let shared = experts.shared { add(index, shared) { .shared($0) } }
        }
    }

    private mutating func add(_ index: Int, _ network: FeedForwardWeights, _ role: (Projection) -> LayerRole) {
        add(.layer(index, role(.gate)), network.gate)
        add(.layer(index, role(.up)), network.up)
        add(.layer(index, role(.down)), network.down)
    }

    private mutating func add(_ role: WeightRole, _ vector: Tensor) { elements[role] = [.values(vector.decodedRow(0))] }

    private mutating func add(_ role: WeightRole, _ weight: Weight) { add(role, weight, rows: 0..<weight.rows) }

    /// Some rows of a weight's codes, and their scales.
    ///
    /// - Parameter matrix: of a bank, the one whose rows they are.
    private mutating func add(_ role: WeightRole, _ weight: Weight, rows: Range<Int>, matrix: Int? = nil) {
        let codes = weight.codes
        let size = codes.type.byteCount
        var bytes: [UInt8] = []
        for row in rows {
            let start = codes.byteOffset + row * codes.pitch * size
            bytes += codes.storage.host![start..<start + codes.columns * size]
        }
        var found: [RankLoadingTests.Elements] = [.bytes(bytes)]
        if let scales = weight.scales {
            let isPacked = codes.type == .u32
            func scaleRow(_ row: Int) -> Int { isPacked ? row : (row + 127) / 128 }
            let range =
                matrix.map { $0 * weight.scaleRows..<($0 + 1) * weight.scaleRows }
                ?? scaleRow(rows.lowerBound)..<scaleRow(rows.upperBound)
            found.append(.values(range.flatMap { scales.decodedRow($0) }))
            if isPacked { found.append(.values([Float(rows.count), Float(weight.columns)])) }
        }
        elements[role] = found
    }
}
