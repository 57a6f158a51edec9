import Checkpoint
import Kernels
import Model
import Numerics
import Program

/// A published model's shapes with random weights and no files: for measurements without the model's checkpoint.
public struct SyntheticModel: Sendable {
    public enum Shape: String, Sendable, CaseIterable {
        case v2Lite = "v2-lite"
        case moonlight
        /// Some layers and experts of the large models, so that they fit one device; all other sizes are the model's.
        case v3Slice = "v3-slice"
        case kimiSlice = "kimi-slice"

        fileprivate var model: String {
            switch self {
            case .v2Lite, .moonlight: rawValue
            case .v3Slice: "v3"
            case .kimiSlice: "kimi-k2"
            }
        }

        /// A slice's default numbers of layers and experts: with BF16 weights it fits in 24 GB.
        fileprivate var slice: (layers: Int, experts: Int)? { model == rawValue ? nil : (4, 32) }
    }

    public enum Format: String, Sendable, CaseIterable {
        case fp8, bf16
        /// In groups of 128 and 32.
        case int8, int4

        var integers: GroupScaling? {
            switch self {
            case .fp8, .bf16: nil
            case .int8: GroupScaling(bits: 8, groupSize: 128)
            case .int4: GroupScaling(bits: 4, groupSize: 32)
            }
        }
    }

    public let name: String
    public let config: ModelConfig

    /// - Parameters:
    ///   - layers, experts: nil for the model's own numbers, or a slice's defaults.
    public init(_ shape: Shape, layers: Int? = nil, experts: Int? = nil, format: Format) throws(ModelError) {
        let published = try readingCheckpoint { () throws(CheckpointError) in try ModelConfig.known(shape.model) }
        guard let published else { preconditionFailure("\(shape.model) is no known model") }
        config = published.resized(
            layers: layers ?? shape.slice?.layers, experts: experts ?? shape.slice?.experts, isFP8: format == .fp8,
            integers: format.integers)
        let dense = config.firstKDenseReplace
        name =
            "\(shape.rawValue), synthetic: \(config.numHiddenLayers) of \(published.numHiddenLayers) layers (\(dense) dense), "
            + "\(config.nRoutedExperts) of \(published.nRoutedExperts) experts (\(config.numExpertsPerTok) a token), \(format)"
    }
}

extension SyntheticModel {
    /// Of any config, for tests.
    init(name: String, config: ModelConfig) {
        self.name = name
        self.config = config
    }
}

/// Random weights, generated where they are used, with the same values on every device and on the CPU.
struct SyntheticWeights: WeightSource {
    let weights: WeightList
    let notes: [String] = []

    init(_ model: SyntheticModel) { weights = WeightList(model.config, hasMTP: false) }

    func stored(_ role: WeightRole) -> StoredWeight? {
        guard let weight = weights[role] else { return nil }
        func tensor(_ component: WeightComponent, _ type: ElementType, _ shape: [Int]) -> TensorInfo {
            TensorInfo(name: weights.names.name(of: component, of: weight.name), type: type, shape: shape)
        }
        if weight.isQuantisable, config.isFP8 {
            return StoredWeight(
                weight, codes: tensor(.elements, .fp8E4M3, weight.shape),
                scales: tensor(.blockScales, .f32, weight.shape.map(BlockScaling.blockCount)))
        }
        if weight.isQuantisable, let integers = config.integers {
            let (rows, columns) = (weight.shape[0], weight.shape[1])
            return StoredWeight(
                weight, codes: tensor(.packed, .i32, [rows, integers.wordCount(columns)]),
                scales: tensor(.groupScales, .f32, [rows, integers.groupCount(columns)]), packing: integers)
        }
        return StoredWeight(weight, codes: tensor(.elements, .bf16, weight.shape))
    }

    /// Elements of about 1/√columns (FP8 and integers: after scaling), so that activations keep their size through the
    /// layers.
    func fill(
        _ codes: Tensor, with slices: [TensorSlice], in memory: any ModelMemory,
        advance: (_ byteCount: Int) throws(ModelError) -> Void
    ) throws(ModelError) {
        let columns = slices[0].tensor.matrix.columns
        try memory.runAlone(
            RandomFill(y: codes, seed: Self.seed(of: slices[0]), deviation: 1 / Float(columns).squareRoot()))
        try advance(slices.reduce(0) { $0 + $1.byteCount })
    }

    func floats(_ slice: TensorSlice) throws(ModelError) -> [Float] {
        guard let (weight, component) = weights.find(slice.tensor.name) else {
            preconditionFailure("\(slice.tensor.name) is no declared weight")
        }
        let size = component.isScales ? scaleSize(slice.tensor, of: weight) : nil
        let isBias = if case .layer(_, .routerBias) = weight.role { true } else { false }
        var random = SeededRandom(seed: UInt64(Self.seed(slice.tensor.name)))
        var values: [Float] = []
        // The generator cannot skip elements.
        for row in 0..<slice.rows.upperBound {
            for column in 0..<slice.tensor.matrix.columns {
                let value: Float
                if let size {
                    value = Float(0.5 + random.nextUnit()) * size
                } else {
                    value = isBias ? random.nextNormal() * 0.01 : 1 + random.nextNormal() * 0.1
                }
                if slice.rows.contains(row), slice.columns.contains(column) { values.append(value) }
            }
        }
        return values
    }

    /// The mean of scales that bring weights to 1/√columns.
    private func scaleSize(_ scales: TensorInfo, of weight: DeclaredWeight) -> Float {
        let (format, columns): (WeightFormat, Int) =
            if let integers = config.integers {
                (.integers(integers), scales.shape[1] * integers.groupSize)
            } else {
                (.fp8E4M3, weight.shape[1])
            }
        return 1 / (format.usualCode * Float(columns).squareRoot())
    }

    /// A seed for each tensor, and for each rank's part of one.
    private static func seed(of slice: TensorSlice) -> UInt32 {
        let isWhole = slice == TensorSlice(slice.tensor)
        return seed(isWhole ? slice.tensor.name : "\(slice.tensor.name) \(slice.rows) \(slice.columns)")
    }

    /// FNV-1a.
    private static func seed(_ name: String) -> UInt32 {
        name.utf8.reduce(0x811c_9dc5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    }
}
