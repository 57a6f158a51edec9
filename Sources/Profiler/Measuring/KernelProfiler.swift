import GPU
import Kernels
import Numerics

/// Times every kernel by itself at a model's shapes.
///
/// In a round of a kernel, the copies of its operands are first driven out of the caches. Then the kernel runs once on each copy
/// between two time marks, with a barrier before it. The yardstick, a fixed amount of arithmetic, runs before and after. Rounds
/// of different kernels alternate, so that a kernel's rounds are spread over the run. Shader compilation and the first round are
/// not counted.
public struct KernelProfiler {
    public struct Options: Sendable {
        /// The kernels to measure; empty for all.
        public var names: [String] = []
        /// The time that a kernel's rounds may take together at most.
        public var seconds = 2.0
        public var leastRounds = 24
        public var mostRounds = 60
        /// The size of the last-level cache; nil for the size that the system reports, or 128 MiB for hardware, which is more
        /// than most have.
        public var cacheByteCount: Int?
        /// Kernels that repeat a tenth of their work, to test that a comparison finds it.
        public var planted: Set<String> = []
        public init() {}
    }

    let device: Device
    let shapes: ModelShapes
    let options: Options
    private let cacheByteCount: Int
    private let onProgress: (_ done: Int, _ total: Int) -> Bool

    /// - Parameter onProgress: receives the number of kernels that are done and the total; its result false stops the profiler.
    public init(
        device: Device, shapes: ModelShapes, options: Options, onProgress: @escaping (Int, Int) -> Bool
    ) throws(ProfilerError) {
        guard device.profile.timestampPeriod > 0 else { throw .noTimestamps(device: device.profile.name) }
        self.device = device
        self.shapes = shapes
        self.options = options
        self.onProgress = onProgress
        cacheByteCount = options.cacheByteCount ?? defaultCacheByteCount(of: device.profile)
    }

    public func run(header: Profile.Header) throws(ProfilerError) -> Profile {
        // Two buffers of twice the cache's size each.
        let meter = LimitsMeter(device: device, copyByteCount: 2 * cacheByteCount)
        let (limits, _, notes) = try onDevice { () throws(GPUError) in try meter.measure() }
        var profile = Profile(mode: .kernels, header: header, limits: limits, rows: [])
        profile.notes = notes
        let cases = shapes.cases().filter { options.names.isEmpty || options.names.contains($0.kernel) }
        // The kernels that alternate take a quarter of the memory at most.
        let budget = (device.profile.heaps.filter(\.isDeviceLocal).map(\.budget).max() ?? 1 << 30) / 4
        var group: [KernelRounds] = []
        for (index, shaped) in cases.enumerated() {
            if let rounds = try rounds(of: shaped, limits, &profile.notes) { group.append(rounds) }
            if !onProgress(profile.rows.count, cases.count) { throw .interrupted }
            if index == cases.count - 1 || group.reduce(0, { $0 + $1.byteCount }) > budget {
                try measure(group, of: cases.count, &profile)
                group = []
            }
        }
        let unsure = profile.rows.filter { (medianUncertainty($0.roundMedians) ?? 1) > Self.wantedUncertainty }
        if !unsure.isEmpty {
            let worst = unsure.map { medianUncertainty($0.roundMedians) ?? 1 }.max()!
            profile.notes.append(
                "\(unsure.count) of \(profile.rows.count) medians are not known within 2% (95% intervals; the widest "
                    + "± \(fixed(worst * 100, 1))%): measure for longer, or stop other programs")
        }
        return profile
    }

    /// A kernel is measured until half the width of its median's 95% interval is below this part of the median.
    static let wantedUncertainty = 0.02

    /// Checks a kernel and makes the copies of its operands; nil, with a note, where the device has not enough memory.
    private func rounds(
        of shaped: ShapedCase, _ limits: Profile.Limits, _ notes: inout [String]
    ) throws(ProfilerError) -> KernelRounds? {
        do throws(ProfilerError) {
            return try KernelRounds(
                shaped, device: device, coldByteCount: 4 * cacheByteCount,
                isPlanted: options.planted.contains(shaped.kernel), limits: limits)
        } catch {
            guard case .device(let fault) = error,
                [.outOfDeviceMemory, .outOfHostMemory, .notSupported].contains(fault.result)
            else { throw error }
            notes.append("\(shaped.kernel), \(shaped.label): left out: \(fault.description)")
            return nil
        }
    }

    private func measure(
        _ group: [KernelRounds], of total: Int, _ profile: inout Profile
    ) throws(ProfilerError) {
        for rounds in group { try onDevice { () throws(GPUError) in try rounds.warmUp(options) } }
        while true {
            let open = group.filter { !$0.isDone(options) }
            if open.isEmpty { break }
            for rounds in open {
                try onDevice { () throws(GPUError) in try rounds.next() }
                let done = group.count { $0.isDone(options) }
                if !onProgress(profile.rows.count + done, total) { throw .interrupted }
            }
        }
        profile.rows += group.map(\.row)
    }
}

func onDevice<R: ~Copyable>(_ body: () throws(GPUError) -> R) throws(ProfilerError) -> R {
    do throws(GPUError) { return try body() } catch { throw .device(error) }
}

/// A guess: Vulkan does not report the size of a device's caches.
func defaultCacheByteCount(of profile: DeviceProfile) -> Int {
    profile.kind == .software ? hostCacheByteCount() ?? 32 << 20 : 128 << 20
}

/// The largest cache of the processor on which a software device runs, from Linux's own description; nil elsewhere.
private func hostCacheByteCount() -> Int? {
    var largest: Int?
    for index in 0..<8 {
        let text = firstBytes("/sys/devices/system/cpu/cpu0/cache/index\(index)/size").prefix { $0 != "\n" }
        guard text.hasSuffix("K"), let kilobytes = Int(text.dropLast()) else { continue }
        largest = max(largest ?? 0, kilobytes << 10)
    }
    return largest
}
