import GPU
import Numerics

/// One of several ways to compute a kernel. All give the reference's result; which is fastest depends on the device.
public struct Variant: Hashable, Sendable {
    public enum Form: String, Sendable {
        /// A subgroup computes some weight rows: its lanes share each row's chunks and add up their sums.
        case rows
        /// A lane computes some weight rows, and the activations go round the subgroup: for narrow subgroups.
        case lanes
        /// A workgroup computes a tile of the result through shared memory.
        case tiles
        /// A workgroup computes a tile on matrix units: FP16 inputs, FP32 sums.
        case matrix
        /// The same on matrix units with FP8 inputs, for activations in FP8. No device at hand runs it, so no test has seen
        /// its results: it runs only where it was measured or asked for.
        case matrix8
    }

    public let form: Form
    /// Weight rows and activation rows of a subgroup or a lane; 0 where the form has one size only.
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

    /// The shaders' SUBGROUP, see Shaders/common_forms.glsl: the subgroup's size in the form `lanes`, else 0.
    func subgroup(on profile: DeviceProfile) -> UInt32 { form == .lanes ? UInt32(profile.subgroupSize) : 0 }
}

/// A variant of a kernel and the properties of a device that it needs.
public struct VariantOption: Sendable {
    public let variant: Variant
    public let needs: DeviceNeed

    public init(_ variant: Variant, needs: DeviceNeed = .nothing) {
        self.variant = variant
        self.needs = needs
    }
}

/// A kernel with several variants.
///
/// All variants that a device could choose for one `choice` add the terms of an output in the same order, or the choice
/// depends on nothing but the weights. So a token's result has the same bits alone and in a batch.
public protocol ChosenKernel: Kernel {
    /// All variants, the preferred ones first. One of them needs nothing.
    static var variants: [VariantOption] { get }
    /// The uses that share one choice of a variant: "linear decode F8_E4M3".
    var choice: String { get }
    /// Whether a variant that the device can run takes the formats and sizes of this use.
    func takes(_ variant: Variant, on profile: DeviceProfile) -> Bool
    /// The variant that `encode` records.
    func variant(on device: any Target) -> Variant
}

extension ChosenKernel {
    public func takes(_ variant: Variant, on profile: DeviceProfile) -> Bool { true }

    /// The variants that the device can run for this use. The first runs where none was measured or asked for.
    public func variants(on profile: DeviceProfile) -> [Variant] {
        Self.variants(on: profile) { takes($0, on: profile) }
    }

    static func variants(on profile: DeviceProfile, taking takes: (Variant) -> Bool = { _ in true }) -> [Variant] {
        let able = variants.filter { $0.needs.isMet(profile) && takes($0.variant) }.map(\.variant)
        // Matrix units come first where subgroups are wide. Devices with narrow subgroups are mostly software devices, where
        // matrix units are the slowest.
        return profile.narrowSubgroup == nil ? able.filter { $0 == .matrix } + able.filter { $0 != .matrix } : able
    }

    /// The device's variant of a choice: the one that was asked for, else the one that was measured, else the first.
    static func variant(
        on device: any Target, choice: String, taking takes: (Variant) -> Bool = { _ in true }
    ) -> Variant {
        let able = variants(on: device.profile, taking: takes)
        for name in device.chosenVariants[[Self.name, choice]] {
            if let wanted = able.first(where: { $0.name == name }) { return wanted }
        }
        return able[0]
    }
}

/// A kernel whose variant may be set.
protocol VariedKernel: ChosenKernel {
    /// The variant to run; nil for the device's.
    var variant: Variant? { get set }
    /// The kernel with its variant's additional operands, which the host makes: for cases.
    func ready(in bench: inout Workbench) throws(GPUError) -> Self
}

extension VariedKernel {
    public func variant(on device: any Target) -> Variant {
        variant ?? Self.variant(on: device, choice: choice) { takes($0, on: device.profile) }
    }

    func ready(in bench: inout Workbench) throws(GPUError) -> Self { self }
}

extension Kernel {
    /// How far a device, which chooses the variant, may be from the reference.
    public func tolerance(on device: any Target) -> Tolerance {
        guard var varied = self as? any VariedKernel else { return tolerance }
        varied.variant = varied.variant(on: device)
        return varied.tolerance
    }
}

extension KernelCase {
    /// A case once for each of the variants.
    static func eachVariant<K: VariedKernel>(
        _ variants: [Variant], _ label: String,
        _ make: @escaping @Sendable (inout Workbench) throws(GPUError) -> K
    ) -> [KernelCase] {
        variants.map { variant in
            KernelCase(variants.count == 1 ? label : "\(label), \(variant.name)") { bench throws(GPUError) in
                var kernel = try make(&bench)
                kernel.variant = variant
                return try kernel.ready(in: &bench)
            }
        }
    }
}
