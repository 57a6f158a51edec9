import Foundation

/// Small random checkpoints in the published layout (made by Tools/oracle), with the values that Hugging Face
/// transformers computes from them in FP32. Each has `config.json`, two shards with their index, and
/// `expected.safetensors`.
///
/// `expected.safetensors` contains `tokens` [T] I64; in F32 `logits` [T, V], `hidden` [L+1, T, H] (before each layer,
/// and before the final norm) and, with a prediction layer, `mtp_logits` [T−1, V]; `greedy` [G] I64; and for each layer
/// with experts `router_experts_N` [T, k] I64 and `router_weights_N` [T, k] F32, sorted by expert.
public enum Oracle: String, CaseIterable, Sendable {
    case v3FP8 = "v3-fp8"
    /// No dimension is a multiple of 128.
    case v3Ragged = "v3-ragged"
    /// Group-limited softmax gate.
    case v2BF16 = "v2-bf16"
    /// Greedy softmax gate, query without a low-rank bottleneck.
    case v2LiteBF16 = "v2-lite-bf16"
    /// No groups, YaRN from `rope_parameters` with equal bounds, block scales in F8_E8M0.
    case kimiK2UE8M0 = "kimi-k2-ue8m0"
    /// V3's gate without groups, query without a low-rank bottleneck, rotary frequencies not scaled.
    case moonlightBF16 = "moonlight-bf16"
    /// V3's shape, smaller, and a prompt of 760 tokens: several chunks of a prefill, the last one ending within a page.
    case v3Long = "v3-long"

    /// The short ones, of at most 96 tokens. `v3Long` needs a context of its own.
    public static let allCases: [Oracle] = [.v3FP8, .v3Ragged, .v2BF16, .v2LiteBF16, .kimiK2UE8M0, .moonlightBF16]

    /// The checkpoint's folder, unpacked on first use and kept in the temporary folder for later runs.
    public func folder() throws -> String {
        let archive = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/oracle/\(rawValue).tar.xz")
        let files = FileManager.default
        let attributes = try files.attributesOfItem(atPath: archive.path)
        let size = (attributes[.size] as? Int) ?? 0
        let date = (attributes[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
        // A changed archive gets a new folder.
        let cache = files.temporaryDirectory.appendingPathComponent("fathom-fixtures-\(getuid())")
        let folder = cache.appendingPathComponent("\(rawValue)-\(size)-\(Int(date))")
        if files.fileExists(atPath: folder.path) { return folder.appendingPathComponent(rawValue).path }

        // Unpacks to a temporary folder and renames it: several processes may do this concurrently, and the first one
        // wins.
        let aside = cache.appendingPathComponent(UUID().uuidString)
        try files.createDirectory(
            at: aside, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? files.removeItem(at: aside) }
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/usr/bin/tar")
        tar.arguments = ["-xJf", archive.path, "-C", aside.path]
        try tar.run()
        tar.waitUntilExit()
        guard tar.terminationStatus == 0 else { throw FixtureError(path: archive.path, status: tar.terminationStatus) }
        if rename(aside.path, folder.path) != 0, !files.fileExists(atPath: folder.path) {
            throw FixtureError(path: folder.path, status: errno)
        }
        return folder.appendingPathComponent(rawValue).path
    }
}

/// An archive that could not be unpacked.
public struct FixtureError: Error, CustomStringConvertible {
    public var path: String
    public var status: Int32
    public var description: String { "\(path): expected tar and xz to unpack it, found status \(status)" }
}
