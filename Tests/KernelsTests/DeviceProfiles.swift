@testable import GPU

/// Profiles of devices as data: published values of real GPUs, and the least that the kernels support.
///
/// The values are copied from public hardware reports and the drivers' code; they were not measured here. "Assumed"
/// marks values that are less certain.
enum DeviceProfiles {
    /// Real devices.
    static let gpus = [rtx4090, rtx2080, rx7900XTX, rx580, arcA770, appleM1, maliG715, llvmpipe]

    /// Devices with the least of everything, one for each size of subgroup.
    static let minimal = [4, 8, 16, 32, 64].map(minimal(subgroup:))

    static let all = gpus + minimal

    static let rtx4090 = profile(
        "NVIDIA GeForce RTX 4090", driver: "NVIDIA 570", subgroups: 32...32, usual: 32, shared: 48 << 10,
        workgroupSize: [1024, 1024, 64], workgroupCount: [0x7FFF_FFFF, 65535, 65535], bindings: 1 << 20,
        alignment: 16, range: 0xFFFF_FFFF, allocation: 0xFFE0_0000, timestamps: (1, 64), units: 128, memory: 24 << 30,
        // The FP8 shape is assumed.
        matrices: [(16, 16, 16, .float16), (16, 8, 16, .float16), (16, 8, 8, .float16), (16, 16, 32, .float8E4M3)])

    static let rtx2080 = profile(
        "NVIDIA GeForce RTX 2080", driver: "NVIDIA 550", subgroups: 32...32, usual: 32, shared: 48 << 10,
        workgroupSize: [1024, 1024, 64], workgroupCount: [0x7FFF_FFFF, 65535, 65535], bindings: 1 << 20,
        alignment: 16, range: 0xFFFF_FFFF, allocation: 0xFFE0_0000, timestamps: (1, 64), units: 46, memory: 8 << 30,
        matrices: [(16, 16, 16, .float16), (16, 8, 16, .float16), (16, 8, 8, .float16)])

    static let rx7900XTX = profile(
        "AMD Radeon RX 7900 XTX (RADV NAVI31)", driver: "radv Mesa 25.0", subgroups: 32...64, usual: 64,
        shared: 64 << 10, workgroupSize: [1024, 1024, 1024], workgroupCount: [0xFFFF_FFFF, 65535, 65535],
        bindings: 8_388_606, alignment: 4, range: 0xFFFF_FFFF, allocation: 0xFFFF_FFFC, timestamps: (10, 64),
        units: 96, memory: 24 << 30, matrices: [(16, 16, 16, .float16)])

    static let rx580 = profile(
        "AMD Radeon RX 580 (RADV POLARIS10)", driver: "radv Mesa 25.0", subgroups: 64...64, usual: 64,
        shared: 64 << 10, workgroupSize: [1024, 1024, 1024], workgroupCount: [0xFFFF_FFFF, 65535, 65535],
        bindings: 8_388_606, alignment: 4, range: 0xFFFF_FFFF, allocation: 0xFFFF_FFFC, timestamps: (40, 64),
        units: 36, memory: 8 << 30)

    static let arcA770 = profile(
        "Intel(R) Arc(tm) A770 Graphics (DG2)", driver: "anv Mesa 25.0", subgroups: 8...32, usual: 32,
        shared: 64 << 10, workgroupSize: [1024, 1024, 1024], workgroupCount: [65535, 65535, 65535],
        bindings: 1 << 20,  // assumed
        alignment: 4, range: 1 << 30, allocation: 0xFFFF_FFFF, timestamps: (52.083, 36), units: nil,
        memory: 16 << 30, matrices: [(8, 8, 16, .float16)])

    static let appleM1 = profile(
        "Apple M1 (G13G B1)", driver: "Honeykrisp Mesa 25.0", kind: .integrated, subgroups: 32...32, usual: 32,
        shared: 32 << 10, workgroupSize: [1024, 1024, 1024], workgroupCount: [65535, 65535, 65535],
        bindings: 1 << 20,  // assumed
        alignment: 16,  // assumed
        range: 0xFFFF_FFFF, allocation: 0xFFFF_FFFF, timestamps: (1, 64), units: nil, memory: 8 << 30)

    static let maliG715 = profile(
        "Mali-G715", driver: "ARM r44p1", kind: .integrated, subgroups: 16...16, usual: 16, shared: 32 << 10,
        invocations: 512,  // assumed: 1024 in later drivers
        workgroupSize: [512, 512, 512], workgroupCount: [65535, 65535, 65535], bindings: 500_000,
        alignment: 16,  // assumed
        range: 128 << 20,  // assumed: more in later drivers
        allocation: 0xFFFF_FFFF, timestamps: (38.46, 64), units: 7, memory: 8 << 30)

    static let llvmpipe = profile(
        "llvmpipe (LLVM 19.1.7, 256 bits)", driver: "llvmpipe Mesa 25.0", kind: .software, subgroups: 8...8, usual: 8,
        shared: 32 << 10, workgroupSize: [1024, 1024, 1024], workgroupCount: [65535, 65535, 65535],
        bindings: 1_000_000, alignment: 16, range: 128 << 20, allocation: 2 << 30, timestamps: (1, 64), units: 2,
        memory: 4 << 30)

    /// The least that the kernels support: Vulkan 1.3's required limits (specification, table "Required Limits"), but more
    /// shared memory (16 KiB there), invocations (128; 256 in Vulkan 1.4) and storage buffers (4), as every known device has.
    /// No optional feature but 8- and 16-bit storage, FP16, and arithmetic and broadcasts in subgroups.
    private static func minimal(subgroup: Int) -> DeviceProfile {
        profile(
            "minimal, subgroups of \(subgroup)", driver: "none", kind: .other, subgroups: subgroup...subgroup,
            usual: subgroup, shared: 32 << 10, push: 128, invocations: 256, workgroupSize: [256, 256, 64],
            workgroupCount: [65535, 65535, 65535], bindings: 12, alignment: 256, range: 128 << 20,
            allocation: 1 << 30, timestamps: (0, 0), units: nil, memory: 2 << 30, hasOptionalFeatures: false)
    }

    private static func profile(
        _ name: String, driver: String, kind: DeviceProfile.Kind = .discrete, subgroups: ClosedRange<Int>, usual: Int,
        shared: Int, push: Int = 256, invocations: Int = 1024, workgroupSize: [Int], workgroupCount: [Int],
        bindings: Int, alignment: Int, range: Int, allocation: Int, timestamps: (period: Double, bits: Int),
        units: Int?, memory: Int, hasOptionalFeatures: Bool = true,
        matrices: [(m: Int, n: Int, k: Int, inputs: ComponentType)] = []
    ) -> DeviceProfile {
        DeviceProfile(
            index: 0, name: name, driverName: driver, driverInfo: "", kind: kind, apiVersion: 1 << 22 | 3 << 12,
            driverVersion: 1, uuid: Array(repeating: 0, count: 16), pipelineCacheUUID: Array(repeating: 0, count: 16),
            subgroupSize: usual, minSubgroupSize: subgroups.lowerBound, maxSubgroupSize: subgroups.upperBound,
            maxWorkgroupInvocations: invocations, maxWorkgroupSize: workgroupSize, maxWorkgroupCount: workgroupCount,
            maxBindingCount: bindings, maxSharedByteCount: shared, maxPushConstantByteCount: push,
            storageBufferAlignment: alignment, maxStorageBufferRange: range, maxAllocationByteCount: allocation,
            timestampPeriod: timestamps.period, timestampValidBits: timestamps.bits, computeUnitCount: units,
            hasFloat16: true, hasInt8: hasOptionalFeatures, has8BitStorage: true, has16BitStorage: true,
            hasFullSubgroups: hasOptionalFeatures, hasSubgroupSizeControl: hasOptionalFeatures,
            hasSubgroupArithmetic: true, hasSubgroupBallot: true,
            hasFP8Matrices: matrices.contains { $0.inputs == .float8E4M3 }, hasMemoryBudget: hasOptionalFeatures,
            hasExecutableProperties: hasOptionalFeatures, hasCalibratedTimestamps: hasOptionalFeatures,
            heaps: [.init(byteCount: memory, budget: memory, isDeviceLocal: true, isHostVisible: kind != .discrete)],
            matrixShapes: matrices.map {
                .init(
                    m: $0.m, n: $0.n, k: $0.k, aType: $0.inputs, bType: $0.inputs, cType: .float32,
                    resultType: .float32, scope: .subgroup)
            })
    }
}
