/// The weights that a config calls for, in the model's order, found by their roles and by the names of files' tensors.
public struct WeightList: Sendable, RandomAccessCollection {
    public let config: ModelConfig
    /// Whether the multi-token prediction layers are among the weights.
    public let hasMTP: Bool
    public let names: any NamingScheme
    private let weights: [DeclaredWeight]
    private let byRole: [WeightRole: Int]
    private let byName: [String: Int]

    public init(_ config: ModelConfig, hasMTP: Bool, names: any NamingScheme = HuggingFaceNames()) {
        self.config = config
        self.hasMTP = hasMTP
        self.names = names
        let weights = DeepSeekWeights.all(config, hasMTP: hasMTP, names)
        self.weights = weights
        byRole = Dictionary(uniqueKeysWithValues: weights.indices.lazy.map { (weights[$0].role, $0) })
        byName = Dictionary(uniqueKeysWithValues: weights.indices.lazy.map { (weights[$0].name, $0) })
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { weights.count }
    public subscript(index: Int) -> DeclaredWeight { weights[index] }

    /// The weight with this role; nil if the config does not demand it.
    public subscript(role: WeightRole) -> DeclaredWeight? { byRole[role].map { weights[$0] } }

    /// The weight that a file's tensor belongs to, and the tensor's part in it; nil for a tensor of no weight.
    public func find(_ tensor: String) -> (weight: DeclaredWeight, component: WeightComponent)? {
        if let index = byName[tensor] { return (weights[index], .elements) }
        let (name, component) = names.parse(tensor)
        guard component != .elements, let index = byName[name] else { return nil }
        return (weights[index], component)
    }
}

extension ModelConfig {
    /// The layers of the multi-token prediction, which follow the model's own.
    public var mtpLayers: Range<Int> { numHiddenLayers..<numHiddenLayers + numNextnPredictLayers }
}
