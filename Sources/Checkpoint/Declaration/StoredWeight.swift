import Numerics

/// A declared weight and the tensors by which a checkpoint stores it.
public struct StoredWeight: Sendable {
    public let declared: DeclaredWeight
    /// The elements, codes in FP8, or words of packed integers.
    public let codes: TensorInfo
    /// The scales of FP8's blocks or of the integers' groups; nil for a plain format.
    public let scales: TensorInfo?
    /// Two numbers that repeat the declared shape of packed integers; nil where there are none.
    public let packedShape: TensorInfo?
    /// How integers are packed; nil for another format.
    public let packing: GroupScaling?

    public init(
        _ declared: DeclaredWeight, codes: TensorInfo, scales: TensorInfo? = nil, packedShape: TensorInfo? = nil,
        packing: GroupScaling? = nil
    ) {
        self.declared = declared
        self.codes = codes
        self.scales = scales
        self.packedShape = packedShape
        self.packing = packing
    }
}

extension WeightList {
    /// How `tensors` store a weight; nil where they do not. Tensors that belong to its format and are missing are nil.
    public func stored(_ weight: DeclaredWeight, in tensors: [String: TensorInfo]) -> StoredWeight? {
        func component(_ component: WeightComponent) -> TensorInfo? {
            tensors[names.name(of: component, of: weight.name)]
        }
        if let elements = tensors[weight.name] {
            let scales = elements.type == .fp8E4M3 && weight.isQuantisable ? component(.blockScales) : nil
            return StoredWeight(weight, codes: elements, scales: scales)
        }
        guard weight.isQuantisable, let packing = config.integers, let packed = component(.packed) else { return nil }
        return StoredWeight(
            weight, codes: packed, scales: component(.groupScales), packedShape: component(.packedShape),
            packing: packing)
    }
}
