import GPU

/// The properties of a device that a kernel or one of its variants needs beyond 8- and 16-bit storage and FP16.
public struct DeviceNeed: Sendable {
    /// "subgroups of one size of 4, 8 or 16 lanes"
    public let description: String
    public let isMet: @Sendable (DeviceProfile) -> Bool

    public init(_ description: String, isMet: @escaping @Sendable (DeviceProfile) -> Bool) {
        self.description = description
        self.isMet = isMet
    }

    public static let nothing = DeviceNeed("nothing") { _ in true }
    static let narrowSubgroups = DeviceNeed("subgroups of one size of 4, 8 or 16 lanes") { $0.narrowSubgroup != nil }
    /// Matrix instructions of any shape, which `LimitMatrix` measures.
    static let anyMatrixUnits = DeviceNeed("matrix units with FP16 inputs and FP32 sums") { $0.matrixShape != nil }
    static let matrixUnits = DeviceNeed("matrix units with FP16 inputs whose shape divides 32 × 32 × 32") {
        $0.matrixTiles != nil
    }
    static let fp8MatrixUnits = DeviceNeed("matrix units with FP8 inputs whose shape divides 32 × 32 × 64") {
        $0.matrix8Tiles != nil
    }
    static let attentionMatrixUnits = DeviceNeed(
        "matrix units with FP16 inputs whose shape divides 16 × 16 × 16, in workgroups of eight subgroups"
    ) { $0.attentionTiles != nil }
}

extension DeviceProfile {
    /// A shape that the matrix units multiply, and the lanes of a subgroup that does so.
    typealias MatrixTiles = (shape: MatrixShape, subgroup: Int)

    /// The largest shape with FP16 inputs and FP32 sums that one subgroup multiplies; nil if the device lists none.
    public var matrixShape: MatrixShape? { largestMatrixShape(inputs: .float16) }

    /// The matrix instructions of the form `matrix`: tiles of 32 × 32 results, 32 columns at a time. Nil if the device cannot. All
    /// subgroups must have one size, by nature or because the shader demands it.
    var matrixTiles: MatrixTiles? {
        hasFloat16 && has16BitStorage ? matrixShape.flatMap { tiles(of: $0, columns: 32) } : nil
    }

    /// The same for the form `matrix8`, 64 columns at a time.
    var matrix8Tiles: MatrixTiles? {
        hasFP8Matrices
            ? largestMatrixShape(inputs: .float8E4M3).flatMap { tiles(of: $0, columns: 64) } : nil
    }

    /// The matrix instructions of attention's form `matrix`: workgroups of eight subgroups that multiply parts of 16 × 16.
    var attentionTiles: MatrixTiles? {
        guard let tiles = matrixTiles, hasSubgroupArithmetic, 8 * tiles.subgroup <= maxWorkgroupInvocations,
            [tiles.shape.m, tiles.shape.n, tiles.shape.k].allSatisfy({ $0 >= 4 && 16 % $0 == 0 }),
            16 / tiles.shape.m * (16 / tiles.shape.n) <= 8, tiles.subgroup % tiles.shape.m == 0
        else { return nil }
        return tiles
    }

    private func tiles(of shape: MatrixShape, columns: Int) -> MatrixTiles? {
        guard hasFullSubgroups, 32 % shape.m == 0, 32 % shape.n == 0, columns % shape.k == 0,
            4 * subgroupSize <= maxWorkgroupInvocations, hasSubgroupSizeControl || minSubgroupSize == maxSubgroupSize
        else { return nil }
        return (shape, subgroupSize)
    }

    private func largestMatrixShape(inputs: ComponentType) -> MatrixShape? {
        matrixShapes.filter {
            $0.aType == inputs && $0.bType == inputs && $0.cType == .float32 && $0.resultType == .float32
                && $0.scope == .subgroup
        }.max { $0.m * $0.n * $0.k < $1.m * $1.n * $1.k }
    }

    /// Lanes of every subgroup, where that number is fixed and small enough for the form `lanes`; nil elsewhere.
    var narrowSubgroup: Int? {
        let isFixed = minSubgroupSize == subgroupSize && maxSubgroupSize == subgroupSize
        return isFixed && hasSubgroupBallot && [4, 8, 16].contains(subgroupSize) ? subgroupSize : nil
    }

    /// The shaders' QUADS_AT_ONCE: a whole 16-byte chunk of any format. A software device with vectors of 16 lanes takes one
    /// quad at a time: its compiler makes one load for each lane, and would need half a minute for packed integers.
    var quadsAtOnce: UInt32 { kind == .software && subgroupSize > 8 ? 1 : 8 }
}
