import GPU
import Kernels
import Numerics

/// Times every kernel by itself at a model's shapes.
///
/// A round of a kernel: its operands' copies are thrown out of the caches, then each copy is used once, with a barrier
/// before, between two marks; the yardstick runs before and after. Rounds of different kernels alternate, so that a
/// kernel's rounds are spread over the run. Shader compilation and the first round are not counted.
public struct KernelProfiler {
    public struct Options: Sendable {
        /// Only these kernels; all if empty.
        public var names: [String] = []
        /// The most time that a kernel's rounds may take together.
        public var seconds = 2.0
        public var leastRounds = 24
        public var mostRounds = 60
        /// The last-level cache; nil: as the system says, or 128 MiB for hardware, which is more than most have.
        public var cacheByteCount: Int?
        /// Kernels that do a tenth of their work again: to see that a comparison finds that.
        public var planted: Set<String> = []
        public init() {}
    }

    let device: Device
    let shapes: ModelShapes
    let options: Options
    private let cacheByteCount: Int
    private let onProgress: (_ done: Int, _ total: Int) -> Bool

    /// - Parameter onProgress: told how many rounds are done and how many there are at most; false stops.
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
        // Each of two buffers twice the cache: together four times.
        let meter = LimitsMeter(device: device, copyByteCount: 2 * cacheByteCount)
        let (limits, _, notes) = try onDevice { () throws(GPUError) in try meter.measure() }
        var profile = Profile(mode: .kernels, header: header, limits: limits, rows: [])
        profile.notes = notes
        let cases = shapes.cases().filter { options.names.isEmpty || options.names.contains($0.kernel) }
        // As many kernels alternate as a quarter of the memory holds.
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

    /// Half the width of the median's 95% interval at which a kernel is measured enough.
    static let wantedUncertainty = 0.02

    /// Checks a kernel and makes its copies; nil, with a note, where the device has not the memory.
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

/// Vulkan does not tell the size of a device's caches.
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
