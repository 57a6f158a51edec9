import CVulkan
import Glibc

/// The properties that a device reports. Kernels choose their variants by these and by nothing else.
public struct DeviceProfile: Sendable {
    public enum Kind: String, Sendable { case integrated, discrete, virtual, software, other }

    public struct Heap: Sendable {
        public let byteCount: Int
        /// The bytes that this process may still use, if the driver reports them; else `byteCount`.
        public let budget: Int
        public let isDeviceLocal, isHostVisible: Bool
    }

    /// A shape that the device's matrix units multiply: `[m, k] · [k, n]`.
    public struct MatrixShape: Sendable, Hashable {
        public let m, n, k: Int
        /// Of A, B, C and the result.
        public let aType, bType, cType, resultType: ComponentType
        public let scope: Scope
    }

    public let index: Int
    public let name, driverName, driverInfo: String
    public let kind: Kind
    public let apiVersion, driverVersion: UInt32
    public let uuid: [UInt8]
    /// Identifies the driver's compiler: it takes compiled pipelines of the same UUID only.
    let pipelineCacheUUID: [UInt8]
    public let subgroupSize, minSubgroupSize, maxSubgroupSize: Int
    public let maxWorkgroupInvocations: Int
    /// In x, y and z.
    public let maxWorkgroupSize, maxWorkgroupCount: [Int]
    /// Storage buffers of one dispatch.
    public let maxBindingCount: Int
    public let maxSharedByteCount, maxPushConstantByteCount: Int
    public let storageBufferAlignment, maxStorageBufferRange, maxAllocationByteCount: Int
    /// Nanoseconds a timestamp tick; 0 on a device without timestamps.
    public let timestampPeriod: Double
    public let timestampValidBits: Int
    /// Units that run workgroups side by side: multiprocessors, compute units, cores, a software device's processors; nil if
    /// the device does not report their number.
    public let computeUnitCount: Int?
    /// Assumed if the device does not report a number.
    public static let usualComputeUnitCount = 32
    public let hasFloat16, hasInt8, has8BitStorage, has16BitStorage: Bool
    /// Arithmetic: reductions. Ballot: broadcasts.
    public let hasFullSubgroups, hasSubgroupSizeControl, hasSubgroupArithmetic, hasSubgroupBallot: Bool
    /// Whether shaders may multiply FP8 matrices, if `matrixShapes` lists shapes for them.
    public let hasFP8Matrices: Bool
    public let hasMemoryBudget, hasExecutableProperties, hasCalibratedTimestamps: Bool
    public let heaps: [Heap]
    public let matrixShapes: [MatrixShape]

    /// "1.3.289"
    public var apiVersionText: String { "\(apiVersion >> 22 & 0x7f).\(apiVersion >> 12 & 0x3ff).\(apiVersion & 0xfff)" }
}

extension DeviceProfile {
    init(index: Int) throws(GPUError) {
        var info = fv_device_info()
        try check(fv_describe_device(UInt32(index), &info), "vkGetPhysicalDeviceProperties2", "device \(index)")
        let kind = Kind(VkPhysicalDeviceType(rawValue: info.type))
        self.init(
            index: index, name: text(info.name), driverName: text(info.driverName), driverInfo: text(info.driverInfo),
            kind: kind, apiVersion: info.apiVersion, driverVersion: info.driverVersion,
            uuid: withUnsafeBytes(of: info.uuid) { [UInt8]($0) },
            pipelineCacheUUID: withUnsafeBytes(of: info.pipelineCacheUUID) { [UInt8]($0) },
            subgroupSize: Int(info.subgroupSize), minSubgroupSize: Int(info.minSubgroupSize),
            maxSubgroupSize: Int(info.maxSubgroupSize), maxWorkgroupInvocations: Int(info.maxWorkgroupInvocations),
            maxWorkgroupSize: numbers(info.maxWorkgroupSize), maxWorkgroupCount: numbers(info.maxWorkgroupCount),
            maxBindingCount: Int(info.maxBindingCount), maxSharedByteCount: Int(info.maxSharedByteCount),
            maxPushConstantByteCount: Int(info.maxPushConstantByteCount),
            storageBufferAlignment: Int(info.storageBufferAlignment),
            maxStorageBufferRange: Int(info.maxStorageBufferRange),
            maxAllocationByteCount: Int(clamping: info.maxAllocationByteCount), timestampPeriod: info.timestampPeriod,
            timestampValidBits: Int(info.timestampValidBits),
            computeUnitCount: info.computeUnitCount > 0
                ? Int(info.computeUnitCount) : kind == .software ? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) : nil,
            hasFloat16: info.float16, hasInt8: info.int8, has8BitStorage: info.storage8Bit,
            has16BitStorage: info.storage16Bit, hasFullSubgroups: info.fullSubgroups,
            hasSubgroupSizeControl: info.subgroupSizeControl,
            hasSubgroupArithmetic: VkSubgroupFeature(rawValue: info.subgroupOperations)
                .isSuperset(of: [.basic, .arithmetic]),
            hasSubgroupBallot: VkSubgroupFeature(rawValue: info.subgroupOperations).contains(.ballot),
            hasFP8Matrices: info.float8Matrix, hasMemoryBudget: info.memoryBudget,
            hasExecutableProperties: info.executableProperties, hasCalibratedTimestamps: info.calibratedTimestamps,
            heaps: withUnsafeBytes(of: info.heaps) { raw in
                raw.bindMemory(to: fv_heap.self).prefix(Int(info.heapCount)).map {
                    Heap(
                        byteCount: Int(clamping: $0.byteCount), budget: Int(clamping: $0.budget),
                        isDeviceLocal: $0.deviceLocal, isHostVisible: $0.hostVisible)
                }
            },
            matrixShapes: withUnsafeBytes(of: info.matrixShapes) { raw in
                raw.bindMemory(to: fv_matrix_shape.self).prefix(Int(info.matrixShapeCount)).map {
                    MatrixShape(
                        m: Int($0.m), n: Int($0.n), k: Int($0.k), aType: ComponentType(rawValue: $0.aType),
                        bType: ComponentType(rawValue: $0.bType), cType: ComponentType(rawValue: $0.cType),
                        resultType: ComponentType(rawValue: $0.resultType), scope: Scope(rawValue: $0.scope))
                }
            })
    }
}

private func numbers(_ three: (UInt32, UInt32, UInt32)) -> [Int] { [Int(three.0), Int(three.1), Int(three.2)] }

/// A C array of characters, imported as a tuple, as a string.
private func text<T>(_ characters: T) -> String {
    withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
