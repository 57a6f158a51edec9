import GPU
import Glibc
import JSON
import Kernels
import Terminal

/// What `fathom tune` found for a device, kept between runs: which variant of each kernel is fastest.
///
/// It only saves time. A file that is missing or damaged, of another device, driver or build, counts as none.
struct TuningFile {
    let path: String
    private let shaders: String

    /// Nil without a home.
    init?(for profile: DeviceProfile) {
        guard let cache = Catalogue.pipelineCache else { return nil }
        let uuid = profile.uuid.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        path = "\(cache.folder)/tuning-\(uuid)-\(String(profile.driverVersion, radix: 16)).json"
        shaders = String(cache.shaders, radix: 16)
    }

    /// Variants by choice; empty where nothing usable is kept.
    func read() -> [String: String] {
        guard let bytes = try? Input.file(path), let file = try? JSONField(parsing: bytes, name: path),
            (try? file["shaders"].string()) == shaders, let members = try? file["choices"].object()
        else { return [:] }
        return Dictionary(members.compactMap { member in (try? member.field.string()).map { (member.key, $0) } }) { $1 }
    }

    func write(_ choices: [String: String]) throws {
        try makeFolder()
        let members = choices.sorted { $0.key < $1.key }.map { JSONMember($0.key, JSONValue($0.value)) }
        let file = JSONValue.object([
            JSONMember("shaders", JSONValue(shaders)), JSONMember("choices", .object(members)),
        ])
        try AtomicFile.write(file.serialized(pretty: true) + "\n", to: path)
    }

    private func makeFolder() throws {
        var folder = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
        var missing: [Substring] = []
        while !folder.isEmpty, access(String(folder), F_OK) != 0 {
            missing.append(folder)
            folder = folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)]
        }
        for folder in missing.reversed() where mkdir(String(folder), 0o700) != 0 && errno != EEXIST {
            throw CommandError("\(folder): cannot make this folder: \(errorText(errno)); nothing was saved")
        }
    }
}
