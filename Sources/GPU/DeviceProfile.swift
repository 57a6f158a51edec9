import CVulkan
import Glibc

/// What a device reports of itself. Variants of kernels are chosen from this and from nothing else.
public struct DeviceProfile: Sendable {
    public enum Kind: String, Sendable { case integrated, discrete, virtual, software, other }

    public struct Heap: Sendable {
        public let byteCount: Int
        /// What this process may still use, where the driver tells; else `byteCount`.
        public let budget: Int
        public let isDeviceLocal, isHostVisible: Bool
    }

    /// A shape that the device's matrix units multiply: `[m, k] · [k, n]`.
    public struct MatrixShape: Sendable, Hashable {
        public let m, n, k: Int
        /// `VkComponentTypeKHR` of A, B, C and the result.
        public let aType, bType, cType, resultType: UInt32
        public let scope: UInt32
    }

    public let index: Int
    public let name, driverName, driverInfo: String
    public let kind: Kind
    public let apiVersion, driverVersion: UInt32
    public let uuid: [UInt8]
    /// Changes with the driver's compiler: whose compiled pipelines it takes.
    let pipelineCacheUUID: [UInt8]
    public let subgroupSize, minSubgroupSize, maxSubgroupSize: Int
    public let maxWorkgroupInvocations: Int
    public let maxWorkgroupCount: [Int]
    public let maxSharedByteCount, maxPushConstantByteCount: Int
    public let storageBufferAlignment, maxStorageBufferRange, maxAllocationByteCount: Int
    /// Nanoseconds a timestamp tick; 0 where there are no timestamps.
    public let timestampPeriod: Double
    public let timestampValidBits: Int
    /// What workgroups run on, side by side: multiprocessors, compute units, cores, a software device's processors; nil where
    /// the device does not tell.
    public let computeUnitCount: Int?
    /// What is assumed then.
    public static let usualComputeUnitCount = 32
    public let hasFloat16, hasInt8, has8BitStorage, has16BitStorage: Bool
    public let hasFullSubgroups, hasSubgroupSizeControl, hasSubgroupArithmetic, hasSubgroupBallot: Bool
    /// Whether shaders may multiply matrices of FP8, where there are shapes of it.
    public let hasFP8Matrices: Bool
    public let hasMemoryBudget, hasExecutableProperties, hasCalibratedTimestamps: Bool
    public let heaps: [Heap]
    public let matrixShapes: [MatrixShape]

    /// "1.3.289"
    public var apiVersionText: String { "\(apiVersion >> 22 & 0x7f).\(apiVersion >> 12 & 0x3ff).\(apiVersion & 0xfff)" }

    init(index: Int) throws(GPUError) {
        var info = fv_device_info()
        try check(fv_describe_device(UInt32(index), &info), "vkGetPhysicalDeviceProperties2", "device \(index)")
        self.index = index
        name = text(info.name)
        driverName = text(info.driverName)
        driverInfo = text(info.driverInfo)
        kind =
            switch info.type {
            case 1: .integrated
            case 2: .discrete
            case 3: .virtual
            case 4: .software
            default: .other
            }
        apiVersion = info.apiVersion
        driverVersion = info.driverVersion
        uuid = withUnsafeBytes(of: info.uuid) { [UInt8]($0) }
        pipelineCacheUUID = withUnsafeBytes(of: info.pipelineCacheUUID) { [UInt8]($0) }
        subgroupSize = Int(info.subgroupSize)
        minSubgroupSize = Int(info.minSubgroupSize)
        maxSubgroupSize = Int(info.maxSubgroupSize)
        maxWorkgroupInvocations = Int(info.maxWorkgroupInvocations)
        maxWorkgroupCount = [info.maxWorkgroupCount.0, info.maxWorkgroupCount.1, info.maxWorkgroupCount.2].map {
            Int($0)
        }
        maxSharedByteCount = Int(info.maxSharedByteCount)
        maxPushConstantByteCount = Int(info.maxPushConstantByteCount)
        storageBufferAlignment = Int(info.storageBufferAlignment)
        maxStorageBufferRange = Int(info.maxStorageBufferRange)
        maxAllocationByteCount = Int(clamping: info.maxAllocationByteCount)
        timestampPeriod = info.timestampPeriod
        timestampValidBits = Int(info.timestampValidBits)
        computeUnitCount =
            info.computeUnitCount > 0
            ? Int(info.computeUnitCount) : kind == .software ? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) : nil
        hasFloat16 = info.float16
        hasInt8 = info.int8
        has8BitStorage = info.storage8Bit
        has16BitStorage = info.storage16Bit
        hasFullSubgroups = info.fullSubgroups
        hasSubgroupSizeControl = info.subgroupSizeControl
        // VK_SUBGROUP_FEATURE_BASIC_BIT and ARITHMETIC_BIT: what the kernels' reductions use.
        hasSubgroupArithmetic = info.subgroupOperations & 0x5 == 0x5
        // VK_SUBGROUP_FEATURE_BALLOT_BIT: broadcasts.
        hasSubgroupBallot = info.subgroupOperations & 0x8 != 0
        hasFP8Matrices = info.float8Matrix
        hasMemoryBudget = info.memoryBudget
        hasExecutableProperties = info.executableProperties
        hasCalibratedTimestamps = info.calibratedTimestamps
        heaps = withUnsafeBytes(of: info.heaps) { raw in
            raw.bindMemory(to: fv_heap.self).prefix(Int(info.heapCount)).map {
                Heap(
                    byteCount: Int(clamping: $0.byteCount), budget: Int(clamping: $0.budget),
                    isDeviceLocal: $0.deviceLocal, isHostVisible: $0.hostVisible)
            }
        }
        matrixShapes = withUnsafeBytes(of: info.matrixShapes) { raw in
            raw.bindMemory(to: fv_matrix_shape.self).prefix(Int(info.matrixShapeCount)).map {
                MatrixShape(
                    m: Int($0.m), n: Int($0.n), k: Int($0.k), aType: $0.aType, bType: $0.bType, cType: $0.cType,
                    resultType: $0.resultType, scope: $0.scope)
            }
        }
    }
}

/// A C array of characters, imported as a tuple, as a string.
private func text<T>(_ characters: T) -> String {
    withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
