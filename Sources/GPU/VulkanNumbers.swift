// Vulkan's numbers by their names in the Vulkan registry.

/// `VkComponentTypeKHR`: the type of a matrix's elements.
public struct ComponentType: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let float16 = ComponentType(rawValue: 0)
    public static let float32 = ComponentType(rawValue: 1)
    public static let float8E4M3 = ComponentType(rawValue: 1_000_491_002)

    private static let names: [UInt32: String] = [
        0: "f16", 1: "f32", 2: "f64", 3: "i8", 4: "i16", 5: "i32", 6: "i64", 7: "u8", 8: "u16", 9: "u32", 10: "u64",
        1_000_141_000: "bf16", 1_000_491_000: "i8x4", 1_000_491_001: "u8x4", 1_000_491_002: "e4m3",
        1_000_491_003: "e5m2",
    ]

    /// "f16", "e4m3"; "type N" for a number without a name here.
    public var name: String { Self.names[rawValue] ?? "type \(rawValue)" }
}

/// `VkScopeKHR`: the invocations that hold a matrix together.
public struct Scope: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let subgroup = Scope(rawValue: 3)
}

/// `VkPhysicalDeviceType`
enum VkPhysicalDeviceType: UInt32 { case other, integratedGPU, discreteGPU, virtualGPU, cpu }

extension DeviceProfile.Kind {
    init(_ type: VkPhysicalDeviceType?) {
        self =
            switch type {
            case .integratedGPU: .integrated
            case .discreteGPU: .discrete
            case .virtualGPU: .virtual
            case .cpu: .software
            case .other, nil: .other
            }
    }
}

/// `VkSubgroupFeatureFlags`
struct VkSubgroupFeature: OptionSet {
    let rawValue: UInt32

    static let basic = VkSubgroupFeature(rawValue: 1 << 0)
    static let arithmetic = VkSubgroupFeature(rawValue: 1 << 2)
    static let ballot = VkSubgroupFeature(rawValue: 1 << 3)
}
