import CVulkan
import Glibc
import Synchronization

/// An open Vulkan device with one compute queue.
///
/// Sendable: pipelines are made under a lock and submissions are serialised. Everything made from a device keeps it alive.
public final class Device: @unchecked Sendable {
    public let profile: DeviceProfile
    let handle: OpaquePointer
    private let pipelines: PipelineStore
    private let queue = Mutex(())
    public let chosenVariants = ChosenVariants()
    /// Bytes of the buffers that are alive, and the most that ever were.
    let memory = Mutex((current: 0, peak: 0))

    /// Every device with Vulkan 1.3 and a compute queue, in the loader's order.
    ///
    /// - Throws: `.noLoader` without a Vulkan loader, or what the loader answered.
    public static func available() throws(GPUError) -> [DeviceProfile] {
        try check(startOnce, "vkCreateInstance", "Vulkan")
        var profiles: [DeviceProfile] = []
        for index in 0..<Int(fv_device_count()) { profiles.append(try DeviceProfile(index: index)) }
        return profiles
    }

    /// The device named by `choice`, as `choose` says.
    ///
    /// - Parameters:
    ///   - captureStatistics: has the driver keep its statistics of compiled code; slower to compile, and never cached.
    ///   - pipelineCache: where compiled pipelines are kept between runs; nil for nowhere.
    public static func open(
        _ choice: String? = nil, captureStatistics: Bool = false, pipelineCache: PipelineCache? = nil
    ) throws(GPUError) -> Device {
        let profiles = try available()
        guard !profiles.isEmpty else {
            throw GPUError(call: "vkEnumeratePhysicalDevices", result: .noDevice, object: "Vulkan")
        }
        let index = try choose(choice, among: profiles.map { ($0.name, $0.kind) })
        return try Device(
            profiles[index], captureStatistics: captureStatistics, cache: captureStatistics ? nil : pipelineCache)
    }

    /// The place of the device that `choice` names: an index, a name or a part of it (case does not matter), or nil for
    /// the best kind (discrete, then integrated, virtual, software; the first of a kind). A whole number is an index.
    ///
    /// - Throws: `.unknownDevice` where none matches, `.ambiguousDevice` where devices of different names do.
    static func choose(
        _ choice: String?, among devices: [(name: String, kind: DeviceProfile.Kind)]
    ) throws(GPUError) -> Int {
        guard let choice else {
            let order: [DeviceProfile.Kind] = [.discrete, .integrated, .virtual, .software, .other]
            return devices.indices.min {
                order.firstIndex(of: devices[$0].kind)! < order.firstIndex(of: devices[$1].kind)!
            }!
        }
        let index = Int(choice)
        if let index, devices.indices.contains(index) { return index }
        let wanted = choice.lowercased()
        let names = devices.map { $0.name.lowercased() }
        if let exact = names.firstIndex(of: wanted) { return exact }
        let matches = wanted.isEmpty || index != nil ? [] : names.indices.filter { names[$0].contains(wanted) }
        // Devices of one name are interchangeable.
        if let first = matches.first, matches.allSatisfy({ names[$0] == names[first] }) { return first }
        let list = (matches.isEmpty ? Array(devices.indices) : matches).map { "\($0): \(devices[$0].name)" }
        throw GPUError(
            call: "vkEnumeratePhysicalDevices",
            result: matches.isEmpty ? .unknownDevice(devices: list) : .ambiguousDevice(devices: list),
            object: choice.isEmpty ? "\"\"" : choice)
    }

    private init(_ profile: DeviceProfile, captureStatistics: Bool, cache: PipelineCache?) throws(GPUError) {
        guard profile.hasSubgroupArithmetic else {
            throw GPUError(call: "subgroup arithmetic in compute shaders", result: .notSupported, object: profile.name)
        }
        var opened: OpaquePointer?
        try check(fv_open_device(UInt32(profile.index), captureStatistics, &opened), "vkCreateDevice", profile.name)
        self.profile = profile
        handle = opened!
        pipelines = PipelineStore(opened!, profile, cache: cache)
    }

    deinit {
        pipelines.close()
        fv_close_device(handle)
    }

    /// Bytes of the device's buffers that are alive now, and the most that ever were.
    public var allocatedByteCount: (current: Int, peak: Int) { memory.withLock { $0 } }

    /// The pipeline of a shader at these constants; made at first use, then kept.
    public func pipeline(for module: ShaderModule, constants: [(id: UInt32, bits: UInt32)]) throws(GPUError) -> Pipeline
    {
        try pipelines.pipeline(for: module, constants: constants)
    }

    /// Makes pipelines on threads before their first use, in order, and returns at once. A dispatch that needs one meanwhile
    /// waits for that one only. If one cannot be made, the dispatch that needs it throws.
    ///
    /// - Parameter threadCount: nil for as many as there are cores, at most 8.
    public func preparePipelines(_ needed: [NeededPipeline], threadCount: Int? = nil) {
        pipelines.prepare(needed, threadCount: threadCount ?? min(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))), 8))
    }

    /// Returns when the threads of `preparePipelines` have ended and their pipelines are in the cache's file.
    public func waitForPipelines() { pipelines.waitForPrepared() }

    /// Bytes of compiled pipelines that were found in the cache's file; 0 where there were none.
    public var cachedPipelineByteCount: Int { pipelines.foundByteCount }

    /// The pipelines made so far, by shader name and constants.
    public var knownPipelines: [(module: String, constants: [UInt32], pipeline: Pipeline)] {
        pipelines.made.map { ($0.key.name, $0.key.constants, $0.pipeline) }
            .sorted {
                ($0.module, $0.constants.map(String.init).joined()) < (
                    $1.module, $1.constants.map(String.init).joined()
                )
            }
    }

    /// The device's clock and the host's (CLOCK_MONOTONIC) at one moment, in nanoseconds, and how far apart the two
    /// readings may be.
    ///
    /// - Throws: `.notSupported` without `hasCalibratedTimestamps`.
    public func clocks() throws(GPUError) -> (device: Double, host: Double, deviation: Double) {
        guard profile.hasCalibratedTimestamps else {
            throw GPUError(call: "VK_EXT_calibrated_timestamps", result: .notSupported, object: profile.name)
        }
        var (ticks, host, deviation): (UInt64, UInt64, UInt64) = (0, 0, 0)
        try check(fv_calibrate(handle, &ticks, &host, &deviation), "vkGetCalibratedTimestampsEXT", profile.name)
        return (Double(ticks) * profile.timestampPeriod, Double(host), Double(deviation))
    }

    /// Queues recorded commands; the result is what `wait` takes.
    func submit(_ commands: OpaquePointer) throws(GPUError) -> UInt64 {
        var value: UInt64 = 0
        let code = queue.withLock { _ in fv_submit(handle, commands, &value) }
        try check(code, "vkQueueSubmit", profile.name)
        return value
    }

    /// Waits until the submission is done. Throws `.timeout` after two minutes, so that a kernel that never ends does not hang
    /// the program. On a software device the limit is twenty minutes: its driver compiles a shader at the first dispatch, which
    /// takes minutes for matrix kernels.
    func wait(for value: UInt64) throws(GPUError) {
        let seconds: UInt64 = profile.kind == .software ? 1200 : 120
        try check(fv_wait(handle, value, seconds * 1_000_000_000), "vkWaitSemaphores", profile.name)
    }
}

/// The loader is opened and the instance made once, whichever thread asks first.
private let startOnce: Int32 = fv_start()
