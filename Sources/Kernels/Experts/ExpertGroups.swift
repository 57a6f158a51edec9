import GPU
import Numerics

/// The assignments of a step's tokens to experts, grouped by expert and cut into tiles for products: `ExpertSort` writes them
/// and `GroupedLinear` reads them.
public struct ExpertGroups: Sendable {
    /// `[E + 1], U32`: expert e's assignments are `assignments[offsets[e] ..< offsets[e + 1]]`.
    public let offsets: Tensor
    /// `[T · k], U32`
    public let assignments: Tensor
    /// `[at most, 2], U32`: the expert of each tile and the tile's first index in `assignments`.
    public let tiles: Tensor
    /// `[2, 4], U32`: the numbers of workgroups of the products, first for the gate and up projections, then for the
    /// down projection.
    public let dispatches: Tensor
    /// The variant of the products.
    let variant: Variant
    /// Weight rows of the gate and up projections, and of the down projection.
    let productRows: [Int]
    /// Activation rows and weight rows of a workgroup's tile.
    let tileRows, tileWeightRows: Int

    /// - Parameters:
    ///   - format: the banks' format.
    ///   - isRounded: whether activations are rounded to FP8.
    ///   - productRows: of the products into the experts and out of them.
    ///   - device: nil for the reference only.
    ///   - variant: nil for the device's.
    ///   - tile: the tile of the form `tiles`, for tests; nil for that of `tileSize`.
    ///   - tensor: makes a tensor of U32 with a name and a shape.
    public init<E: Error>(
        assignments count: Int, experts: Int, _ format: WeightFormat, isRounded: Bool = false, productRows: [Int],
        on device: (any Target)?, variant: Variant? = nil, tile: Int? = nil, tensor: (String, [Int]) throws(E) -> Tensor
    ) throws(E) {
        precondition(productRows.count == 2, "experts: products of \(productRows) rows")
        let variant =
            variant ?? device.map { GroupedLinear.variant(on: $0, format, isRounded: isRounded) } ?? .tiles
        self.variant = variant
        self.productRows = productRows
        switch variant.form {
        case .matrix, .matrix8: (tileRows, tileWeightRows) = (Product.matrixTile, Product.matrixTile)
        case .rows, .lanes: (tileRows, tileWeightRows) = (variant.tokens, 64 * variant.rows)
        case .tiles:
            tileRows = tile ?? tileSize(tokens: count, groups: experts, rows: productRows.min()!)
            tileWeightRows = tileRows
        }
        // Room for the smallest tiles of any variant, so that the memory plan does not depend on the variant.
        let tileCount = ceilDivide(count, 4) + min(experts, count)
        offsets = try tensor("expert offsets", [experts + 1])
        assignments = try tensor("assignments", [count])
        tiles = try tensor("expert tiles", [tileCount, 2])
        dispatches = try tensor("expert dispatches", [2, 4])
    }

    /// Whether the device computes the products on matrix units, so that `HalfRows` must come before them.
    public var takesHalves: Bool { variant == .matrix }
    /// Whether it does so with FP8 inputs, so that `QuantiseRows` must write codes.
    public var takesCodes: Bool { variant == .matrix8 }

    /// Workgroups along the weight rows of the gate and up projections, and of the down projection.
    var rowGroups: [Int] { productRows.map { ceilDivide($0, tileWeightRows) } }
}
