import Files
import Glibc

/// A file in which a device's compiled pipelines are kept between runs.
///
/// It only saves time. A file that is missing, damaged, of another device, driver or build, or owned by another user is
/// ignored and replaced; where the folder cannot be written to, pipelines are compiled in every run. Both are silent.
public struct PipelineCache: Sendable {
    public let folder: String
    /// A hash of all shaders. A file of other shaders is discarded, so that unused pipelines do not accumulate.
    public let shaders: UInt64

    public init(folder: String, shaders: UInt64) {
        self.folder = folder
        self.shaders = shaders
    }

    /// The folder `fathom` where the user's caches are: $XDG_CACHE_HOME, else ~/.cache. Nil without a home.
    public static func standardFolder(environment: (String) -> String? = Self.environment) -> String? {
        // The XDG specification says to ignore relative paths.
        for (variable, rest) in [("XDG_CACHE_HOME", "/fathom"), ("HOME", "/.cache/fathom")] {
            if let path = environment(variable), path.hasPrefix("/") { return path + rest }
        }
        return nil
    }

    public static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// The device and driver that the pipelines are for. Drivers check the last field themselves, not all reliably.
    struct Owner: Equatable {
        var deviceUUID: [UInt8]
        var driverVersion: UInt32
        var pipelineCacheUUID: [UInt8]
    }

    func path(of owner: Owner) -> String { path("pipelines", owner.deviceUUID, owner.driverVersion) }

    /// The file for other results about a device and driver, such as "tuning".
    public func path(_ kind: String, for profile: DeviceProfile) -> String {
        path(kind, profile.uuid, profile.driverVersion)
    }

    private func path(_ kind: String, _ uuid: [UInt8], _ driverVersion: UInt32) -> String {
        let hex = uuid.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return "\(folder)/\(kind)-\(hex)-\(String(driverVersion, radix: 16))"
    }

    // MARK: The file

    /// "FATHOMPC"
    private static let magic: UInt64 = 0x4350_4D4F_4854_4146
    private static let version: UInt32 = 1
    /// Far above the size of a model's pipelines.
    private static let largestByteCount = 256 << 20

    /// The header before the driver's data: everything that is checked before a driver sees the data.
    func header(_ owner: Owner, _ data: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
        append(Self.magic)
        append(Self.version)
        append(owner.driverVersion)
        bytes += owner.deviceUUID + owner.pipelineCacheUUID
        append(shaders)
        append(UInt64(data.count))
        append(Self.checksum(data))
        return bytes
    }

    /// FNV-1a over words of eight bytes, and the bytes that are left.
    private static func checksum(_ data: [UInt8]) -> UInt64 {
        data.withUnsafeBytes { raw in
            let wordCount = raw.count / 8
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for index in 0..<wordCount {
                hash = (hash ^ raw.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)) &* 0x100_0000_01b3
                // Multiplication carries only upwards: this mixes high bits into low ones.
                hash ^= hash >> 32
            }
            for byte in raw[(wordCount * 8)...] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            return hash
        }
    }

    /// The driver's data; nil unless the file is whole, this user's, and of this owner and these shaders.
    func read(_ owner: Owner) -> [UInt8]? {
        guard let bytes = try? contents(path(of: owner)) else { return nil }
        let headerByteCount = header(owner, []).count
        guard bytes.count >= headerByteCount else { return nil }
        let data = Array(bytes[headerByteCount...])
        return header(owner, data).elementsEqual(bytes[..<headerByteCount]) ? data : nil
    }

    /// A regular file of this user's; nil where it is another kind of file, another's, empty or too large.
    private func contents(_ path: String) throws(SystemError) -> [UInt8]? {
        let file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        defer { file.discard() }
        let status = try file.status()
        guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
            (1...Self.largestByteCount).contains(Int(status.st_size))
        else { return nil }
        let bytes = try file.bytes(at: 0, count: Int(status.st_size))
        return bytes.count == Int(status.st_size) ? bytes : nil
    }

    /// Replaces the file in one step: whoever reads or writes at the same time finds one content or the other, whole.
    /// A power cut may leave a damaged file, which its checksum reveals.
    ///
    /// - Returns: whether it is there now.
    @discardableResult func write(_ data: [UInt8], _ owner: Owner) -> Bool {
        let bytes = header(owner, data) + data
        // A write beyond the file size limit would end the program with SIGXFSZ.
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0, limit.rlim_cur >= bytes.count,
            makeFolder()
        else { return false }
        do throws(SystemError) {
            try replace(path(of: owner), with: bytes)
            return true
        } catch {
            return false
        }
    }

    private func replace(_ path: String, with bytes: [UInt8]) throws(SystemError) {
        // Readable by this user alone.
        let (file, temporary) = try Descriptor.temporary(beside: path)
        do throws(SystemError) {
            do throws(SystemError) { try file.write(bytes) } catch {
                file.discard()
                throw error
            }
            try file.close()
            try retryingInterrupts { rename(temporary, path) }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Makes the folder and its parent: a new user has no ~/.cache.
    @discardableResult public func makeFolder() -> Bool {
        if let slash = folder.lastIndex(of: "/"), slash > folder.startIndex { mkdir(String(folder[..<slash]), 0o700) }
        return mkdir(folder, 0o700) == 0 || errno == EEXIST
    }
}
