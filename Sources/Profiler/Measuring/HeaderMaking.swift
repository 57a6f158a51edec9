import GPU
import Glibc

extension Profile.Header {
    /// The header for a device, without shaders, and with the clock rates that could be read.
    ///
    /// - Parameters:
    ///   - model: the name of the shapes or of the model.
    ///   - date: seconds since 1970.
    public init(of device: Device, model: String, commit: String?, commandLine: [String], date: Int) {
        let profile = device.profile
        let heaps = profile.heaps.filter(\.isDeviceLocal)
        self.init(
            device: profile.name, kind: profile.kind.rawValue,
            driver: "\(profile.driverName) \(profile.driverInfo)", vulkan: profile.apiVersionText,
            subgroupSize: profile.subgroupSize, sharedByteCount: profile.maxSharedByteCount,
            memoryByteCount: heaps.map(\.byteCount).max() ?? 0, clocks: readClocks(), shaders: [], commit: commit,
            commandLine: commandLine, date: isoText(date), model: model)
    }
}

extension Profile {
    /// Sets the header's shaders to the shaders that the device has compiled so far.
    public mutating func noteShaders(of device: Device) {
        var hashes: [String: UInt64] = [:]
        for known in device.knownPipelines { hashes[known.module] = known.pipeline.module.hash }
        header.shaders = hashes.sorted { $0.key < $1.key }.map { name, hash in
            let digits = String(hash, radix: 16)
            return Header.Shader(name: name, hash: String(repeating: "0", count: 16 - digits.count) + digits)
        }
    }
}

/// Seconds since 1970 as ISO 8601 in UTC: "2026-11-21T08:00:00Z".
public func isoText(_ date: Int) -> String {
    var (time, parts) = (time_t(date), tm())
    gmtime_r(&time, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// The clock rates that Linux shows without root: the processor's, and graphics cards' if their drivers list them.
private func readClocks() -> [String] {
    var found: [String] = []
    for line in firstBytes("/proc/cpuinfo").split(separator: "\n") where line.hasPrefix("cpu MHz") {
        if let value = line.split(separator: ":").last.flatMap({ Double($0.drop { $0 == " " }) }) {
            found.append("processor \(Int(value.rounded())) MHz")
            break
        }
    }
    for card in 0..<8 {
        for (file, name) in [("pp_dpm_sclk", "core"), ("pp_dpm_mclk", "memory")] {
            // The star marks the current rate: "1: 2400Mhz *".
            let lines = firstBytes("/sys/class/drm/card\(card)/device/\(file)").split(separator: "\n")
            guard let line = lines.first(where: { $0.hasSuffix("*") }) else { continue }
            found.append("card \(card) \(name) \(line.split(separator: " ").dropFirst().first ?? "")")
        }
        let current = firstBytes("/sys/class/drm/card\(card)/gt_cur_freq_mhz").split(separator: "\n").first
        if let current { found.append("card \(card) core \(current)Mhz") }
    }
    return found
}

/// The first 64 KiB of a file; empty if it cannot be read.
func firstBytes(_ path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes.prefix(count), as: UTF8.self)
}
