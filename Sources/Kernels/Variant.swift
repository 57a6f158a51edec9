import GPU
import Numerics

/// One of several ways to compute a kernel. All give what its reference says; which is fastest depends on the device.
public struct Variant: Hashable, Sendable {
    public enum Form: String, Sendable {
        /// A subgroup some weight rows: its lanes share their chunks and add their sums up.
        case rows
        /// A lane some weight rows, activations going round the subgroup: for narrow subgroups.
        case lanes
        /// A workgroup a tile of the result, through shared memory.
        case tiles
        /// The same on matrix units: FP16 inputs, FP32 sums.
        case matrix
        /// The same on matrix units that take FP8, of activations in FP8. No software device runs it, so that no test here has
        /// seen its results: it runs where it was measured or asked for, never by the profile alone.
        case matrix8
    }

    public let form: Form
    /// Weight rows and activation rows of a subgroup or a lane; 0 where the form has but one size.
    public let rows, tokens: Int

    public static func rows(_ rows: Int) -> Variant { Variant(form: .rows, rows: rows, tokens: 0) }
    public static let tiles = Variant(form: .tiles, rows: 0, tokens: 0)
    public static let matrix = Variant(form: .matrix, rows: 0, tokens: 0)
    public static let matrix8 = Variant(form: .matrix8, rows: 0, tokens: 0)
    public static let lanes = Variant(form: .lanes, rows: 0, tokens: 0)
    /// - Parameter tokens: 0 for as many as there are, up to eight.
    public static func lanes(_ rows: Int, _ tokens: Int = 0) -> Variant {
        Variant(form: .lanes, rows: rows, tokens: tokens)
    }

    /// "rows4", "lanes2", "lanes4x8", "tiles"
    public var name: String {
        switch (rows, tokens) {
        case (0, _): form.rawValue
        case (_, 0): "\(form.rawValue)\(rows)"
        default: "\(form.rawValue)\(rows)x\(tokens)"
        }
    }
}

/// A kernel of which a device may run several variants.
///
/// All variants that a device could choose for one `choice` add each output's terms in one order, or the choice depends on
/// nothing but the weights: a token's result has the same bits alone and in a batch.
public protocol ChosenKernel: Kernel {
    /// What one choice holds for: "linear decode F8_E4M3".
    var choice: String { get }
    /// What the device can run; the first where nothing was measured or asked for.
    func variants(on profile: DeviceProfile) -> [Variant]
    /// The one that `encode` runs.
    func variant(on target: any Target) -> Variant
}

/// A kernel whose variant may be set.
protocol VariedKernel: ChosenKernel {
    /// The one to run; nil for what was chosen for the device.
    var variant: Variant? { get set }
}

extension VariedKernel {
    /// The variant that `encode` runs: this value's own, else what the device's choices name, by kernel or by `choice`,
    /// else the first that it can run.
    public func variant(on target: any Target) -> Variant {
        variant ?? target.variant(among: variants(on: target.profile), [Self.name, choice])
    }
}

extension Catalogue {
    /// The variants of a kernel that some device may run, by name; none for a kernel that has but one.
    public static let variantNames: [String: [String]] = {
        let attention = [Variant.lanes, .tiles, .matrix].map(\.name)
        let decode = [Variant.lanes(2), .rows(4)].map(\.name)
        let products = [Variant.lanes(4, 8), .lanes(2, 8), .tiles, .matrix, .matrix8].map(\.name)
        return [
            Linear.name: decode + products, GroupedLinear.name: products, ExpertGateUp.name: decode,
            ExpertDown.name: decode, MLAValue.name: decode, MLAAbsorbed.name: attention, MLAExpanded.name: attention,
        ]
    }()
}

extension Target {
    /// The variant that is wanted most for one of the keys, else the first.
    func variant(among variants: [Variant], _ keys: [String]) -> Variant {
        for name in chosenVariants[keys] {
            if let wanted = variants.first(where: { $0.name == name }) { return wanted }
        }
        return variants[0]
    }
}

extension KernelCase {
    /// A case once for each variant that the device can run.
    static func eachVariant<K: VariedKernel>(
        _ variants: [Variant], _ label: String,
        _ make: @escaping @Sendable (inout Workbench) throws(GPUError) -> K
    ) -> [KernelCase] {
        variants.map { variant in
            KernelCase(variants.count == 1 ? label : "\(label), \(variant.name)") { bench throws(GPUError) in
                var kernel = try make(&bench)
                kernel.variant = variant
                return try (kernel as? Linear)?.ready(in: &bench) ?? kernel
            }
        }
    }
}

extension DeviceProfile {
    /// The shape of matrices that the form `matrix` multiplies, and the lanes of a subgroup that does; nil where the device
    /// has none that its tiles are made of. Subgroups must be of one size: by nature, or because the shader asks for it.
    var matrixTiles: MatrixTiles? {
        hasFloat16 && has16BitStorage ? LimitMatrix.shape(of: self).flatMap { tiles(of: $0, step: 32) } : nil
    }

    /// The same of the form `matrix8`.
    var matrix8Tiles: MatrixTiles? {
        hasFP8Matrices ? largestMatrixShape(inputs: .float8E4M3).flatMap { tiles(of: $0, step: 64) } : nil
    }

    typealias MatrixTiles = (shape: MatrixShape, subgroup: Int)

    /// - Parameter step: columns that go through shared memory at a time.
    private func tiles(of shape: MatrixShape, step: Int) -> MatrixTiles? {
        guard hasFullSubgroups, 32 % shape.m == 0, 32 % shape.n == 0, step % shape.k == 0,
            4 * subgroupSize <= maxWorkgroupInvocations, hasSubgroupSizeControl || minSubgroupSize == maxSubgroupSize
        else { return nil }
        return (shape, subgroupSize)
    }

    /// The largest shape that one subgroup multiplies, of inputs of this type with FP32 sums; nil if none is listed.
    func largestMatrixShape(inputs: ComponentType) -> MatrixShape? {
        matrixShapes.filter {
            $0.aType == inputs && $0.bType == inputs && $0.cType == .float32 && $0.resultType == .float32
                && $0.scope == .subgroup
        }.max { $0.m * $0.n * $0.k < $1.m * $1.n * $1.k }
    }

    /// The shaders' QUADS_AT_ONCE: a whole chunk of any format, but for vectors of 16 on a software device. Its compiler makes of
    /// every load as many as lanes, and took half a minute for a product of packed integers.
    var quadsAtOnce: UInt32 { kind == .software && subgroupSize > 8 ? 1 : 8 }

    /// Lanes of every subgroup, where that is fixed and few enough for the form `lanes`; nil elsewhere.
    var narrowSubgroup: Int? {
        let isFixed = minSubgroupSize == subgroupSize && maxSubgroupSize == subgroupSize
        return isFixed && hasSubgroupBallot && [4, 8, 16].contains(subgroupSize) ? subgroupSize : nil
    }
}

/// Variants of a product with many activation rows. More weight rows a lane share what is broadcast, and leave fewer
/// workgroups: better for large weights.
///
/// - Parameters:
///   - type: of the weights.
///   - isRounded: whether activations are in FP8.
func productVariants(_ profile: DeviceProfile, _ type: WeightFormat, isRounded: Bool) -> [Variant] {
    // FP32 weights would lose most of their bits on matrix units.
    let matrix: [Variant] = profile.matrixTiles == nil || type == .f32 ? [] : [.matrix]
    let matrix8: [Variant] = profile.matrix8Tiles == nil || type != .fp8E4M3 || !isRounded ? [] : [.matrix8]
    return (profile.narrowSubgroup == nil ? matrix + [.tiles] : [.lanes(2, 8), .lanes(4, 8), .tiles] + matrix) + matrix8
}

/// Variants of a product with few activation rows.
func decodeVariants(_ profile: DeviceProfile) -> [Variant] {
    profile.narrowSubgroup == nil ? [.rows(4)] : [.lanes(2), .rows(4)]
}

extension Variant {
    /// The shaders' SUBGROUP: see Shaders/common_forms.glsl.
    func subgroup(on profile: DeviceProfile) -> UInt32 { form == .lanes ? UInt32(profile.subgroupSize) : 0 }

    /// Weight rows of a workgroup of 64. Of a weight with so many rows that enough workgroups are left, a lane takes several,
    /// one after another.
    func groupRows(on profile: DeviceProfile, of rowCount: Int = 0) -> Int {
        guard form == .lanes else { return max(1, 64 / profile.subgroupSize) * rows }
        var passes = 1
        while passes < 8 && rowCount >= 2 * passes * 64 * rows * Self.leastGroups { passes *= 2 }
        return 64 * rows * passes
    }

    private static let leastGroups = 32
}

/// Rows at once for so many: the smallest power of two that holds them, at most eight or what the variant says (0: nothing).
func tokensAtOnce(for count: Int, atMost limit: Int = 0) -> Int {
    min(count <= 1 ? 1 : count <= 2 ? 2 : count <= 4 ? 4 : 8, limit == 0 ? 8 : limit)
}
