import Checkpoint
import Kernels
import Numerics

/// A published model's shapes with random weights and no files: for measuring what a model costs where it is not at hand.
public struct SyntheticModel: Sendable {
    public enum Shape: String, Sendable, CaseIterable {
        case v2Lite = "v2-lite"
        case moonlight
        /// Some layers and experts of the large models, so that one device holds them; all else is true to size.
        case v3Slice = "v3-slice"
        case kimiSlice = "kimi-slice"

        fileprivate var model: String {
            switch self {
            case .v2Lite, .moonlight: rawValue
            case .v3Slice: "v3"
            case .kimiSlice: "kimi-k2"
            }
        }

        /// What a slice takes where nothing is said: with BF16 weights it fits in 24 GB.
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
    ///   - layers, experts: nil for as many as the model has, or a slice takes.
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

/// Random weights that each device, and the CPU, makes for itself, alike everywhere.
struct SyntheticWeights: WeightSource {
    let config: ModelConfig
    let notes: [String] = []
    let hasMTP = false
    private let tensors: [String: TensorInfo]

    init(_ model: SyntheticModel) {
        config = model.config
        var tensors: [String: TensorInfo] = [:]
        func add(_ name: String, _ type: ElementType, _ shape: [Int]) {
            tensors[name] = TensorInfo(name: name, type: type, shape: shape)
        }
        for tensor in WeightMap.expected(config, hasMTP: false) {
            if tensor.canBeFP8, config.isFP8 {
                add(tensor.name, .fp8E4M3, tensor.shape)
                add(WeightMap.scaleName(tensor.name), .f32, tensor.shape.map(BlockScaling.blockCount))
            } else if tensor.canBeFP8, let integers = config.integers {
                let (rows, columns) = (tensor.shape[0], tensor.shape[1])
                add(WeightMap.packedName(tensor.name), .i32, [rows, integers.wordCount(columns)])
                add(WeightMap.groupScaleName(tensor.name), .f32, [rows, integers.groupCount(columns)])
            } else {
                add(tensor.name, .bf16, tensor.shape)
            }
        }
        self.tensors = tensors
    }

    subscript(name: String) -> TensorInfo? { tensors[name] }

    /// Elements of about 1/√columns (FP8: after scaling), so that values neither grow nor fade through the layers.
    func fill(
        _ codes: Tensor, with tensors: [TensorInfo], on executor: Executor,
        advance: (_ byteCount: Int) throws(ModelError) -> Void
    ) throws(ModelError) {
        try executor.runAlone(
            RandomFill(
                y: codes, seed: Self.seed(tensors[0].name), deviation: 1 / Float(codes.columns).squareRoot()))
        try advance(tensors.reduce(0) { $0 + $1.byteCount })
    }

    func floats(_ tensor: TensorInfo) throws(ModelError) -> [Float] {
        var random = SeededRandom(seed: UInt64(Self.seed(tensor.name)))
        let scaleSize = scaleSize(tensor)
        return (0..<tensor.elementCount).map { _ in
            if let scaleSize { return Float(0.5 + random.nextUnit()) * scaleSize }
            // A norm's weights, or a gate's small biases.
            return tensor.name.hasSuffix("bias") ? random.nextNormal() * 0.01 : 1 + random.nextNormal() * 0.1
        }
    }

    /// What brings products to 1/√columns; nil for what is no scale.
    private func scaleSize(_ tensor: TensorInfo) -> Float? {
        guard tensor.type == .f32 else { return nil }
        if let integers = config.integers {
            let columns = tensor.shape[1] * integers.groupSize
            return 1 / (WeightFormat.integers(integers).usualCode * Float(columns).squareRoot())
        }
        let columns = tensors[String(tensor.name.dropLast(WeightMap.scaleName("").count))]!.shape[1]
        return 1 / (WeightFormat.fp8E4M3.usualCode * Float(columns).squareRoot())
    }

    /// FNV-1a.
    private static func seed(_ name: String) -> UInt32 {
        name.utf8.reduce(0x811c_9dc5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    }
}
