import GPU
import Numerics

/// A step's assignments grouped by expert, cut into tiles for products: what `ExpertSort` writes and `GroupedLinear` reads.
public struct ExpertGroups: Sendable {
    /// `[E + 1], U32`: expert e's assignments are `assignments[offsets[e] ..< offsets[e + 1]]`.
    public let offsets: Tensor
    /// `[T · k], U32`
    public let assignments: Tensor
    /// `[at most, 2], U32`: each tile's expert and first place in `assignments`.
    public let tiles: Tensor
    /// `[2, 4], U32`: the workgroups of the products over the tiles, first those into the experts, then those out of them.
    public let dispatches: Tensor
    /// How the products are computed.
    let variant: Variant
    /// Weight rows of the products into the experts and out of them.
    let productRows: [Int]
    /// Activation rows and weight rows of a workgroup's tile.
    let tileRows, tileWeightRows: Int

    /// - Parameters:
    ///   - tensor: makes `[rows, columns], U32` by name.
    ///   - type: the banks' format.
    ///   - isRounded: whether activations are rounded to FP8.
    ///   - productRows: of the products into the experts and out of them.
    ///   - target: nil for the reference alone.
    ///   - tile: the form `tiles`' tile, for tests; nil for `tileSize`'s.
    public init<E: Error>(
        assignments count: Int, experts: Int, _ type: WeightFormat, isRounded: Bool = false, productRows: [Int],
        on target: (any Target)?, variant: Variant? = nil, tile: Int? = nil, tensor: (String, [Int]) throws(E) -> Tensor
    ) throws(E) {
        precondition(productRows.count == 2, "experts: products of \(productRows) rows")
        let variant =
            variant ?? target.map {
                $0.variant(
                    among: GroupedLinear.variants($0.profile, type, isRounded: isRounded),
                    [GroupedLinear.name, GroupedLinear.choice(type, isRounded: isRounded)])
            } ?? .tiles
        self.variant = variant
        self.productRows = productRows
        switch variant.form {
        case .matrix, .matrix8: (tileRows, tileWeightRows) = (64, 64)
        case .rows, .lanes: (tileRows, tileWeightRows) = (variant.tokens, 64 * variant.rows)
        case .tiles:
            tileRows = tile ?? tileSize(tokens: count, groups: experts, rows: productRows.min()!)
            tileWeightRows = tileRows
        }
        // Room for the smallest tiles: a plan of memory does not know the device's variant.
        let tileCount = ceilDivide(count, 4) + min(experts, count)
        offsets = try tensor("expert offsets", [experts + 1])
        assignments = try tensor("assignments", [count])
        tiles = try tensor("expert tiles", [tileCount, 2])
        dispatches = try tensor("expert dispatches", [2, 4])
    }

    /// Whether the device computes the products on matrix units, so that `HalfRows` must come before.
    public var takesHalves: Bool { variant == .matrix }
    /// Whether it does on those that take FP8, so that `QuantiseRows` must write codes.
    public var takesCodes: Bool { variant == .matrix8 }

    /// Workgroups along the weight rows of each product.
    var rowGroups: [Int] { productRows.map { ceilDivide($0, tileWeightRows) } }
}
