import Glibc
import JSON
import Numerics

/// Writes safetensors files.
public enum SafetensorsWriter {
    public typealias Tensor = (name: String, shape: [Int], type: ElementType, bytes: [UInt8])

    /// Throws if `write` could not write to `path`, so that this is known before the tensors are computed.
    ///
    /// - Returns: true if `write` will create or replace a file; false if it will write to a device or a pipe.
    public static func check(_ path: String) throws(CheckpointError) -> Bool {
        var status = stat()
        let exists = stat(path, &status) == 0
        if exists, status.st_mode & S_IFMT != S_IFREG {
            errno = EISDIR
            guard status.st_mode & S_IFMT != S_IFDIR, access(path, W_OK) == 0 else {
                throw failure(path, "a file that can be written to")
            }
            return false
        }
        let target = resolved(path)
        let folder = target.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(target[...$0]) } ?? "."
        guard access(folder, W_OK | X_OK) == 0 else { throw failure(path, "a folder that can be written to") }
        return true
    }

    /// Writes `tensors` in their order. Writes atomically: into a temporary file next to `path`, which it then renames.
    /// Keeps a symbolic link and replaces its target. Writes directly to a device or a pipe.
    ///
    /// - Parameter isInterrupted: polled between pieces; true stops writing with an error.
    public static func write(
        tensors: [Tensor], to path: String, isInterrupted: () -> Bool = { false }
    ) throws(CheckpointError) {
        let header = try header(tensors, path: path)
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            let descriptor = open(path, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw failure(path, "a file that can be written to") }
            defer { close(descriptor) }
            return try write(header, tensors, to: descriptor, path: path, isInterrupted)
        }
        let target = resolved(path)
        let temporary = "\(target).\(getpid())-\(UInt32.random(in: 0...UInt32.max)).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure(path, "a folder that can be written to") }
        do throws(CheckpointError) {
            defer { close(descriptor) }
            try write(header, tensors, to: descriptor, path: path, isInterrupted)
            guard fsync(descriptor) == 0 else { throw failure(path, "data that can be flushed to disk") }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, target) == 0 else {
            let error = failure(path, "a name that can be written to")
            unlink(temporary)
            throw error
        }
    }

    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    private static func header(_ tensors: [Tensor], path: String) throws(CheckpointError) -> [UInt8] {
        var entries: [SafetensorsEntry] = []
        var offset = 0
        for tensor in tensors {
            guard SafetensorsHeader.byteCount(tensor.shape, tensor.type) == tensor.bytes.count else {
                throw CheckpointError(
                    "\(path): \(tensor.name)", expected: "the bytes of \(tensor.type) \(tensor.shape)",
                    found: "\(tensor.bytes.count) bytes")
            }
            let range = offset..<offset + tensor.bytes.count
            entries.append(SafetensorsEntry(name: tensor.name, type: tensor.type, shape: tensor.shape, range: range))
            offset = range.upperBound
        }
        return try header(entries, path: path)
    }

    /// The header with its length, padded with spaces so that the data is aligned to 8 bytes.
    static func header(
        _ entries: [SafetensorsEntry], metadata: JSONValue? = nil, path: String
    ) throws(CheckpointError) -> [UInt8] {
        var members = metadata.map { [JSONMember("__metadata__", $0)] } ?? []
        var names: Set<String> = ["__metadata__"]
        for entry in entries {
            guard names.insert(entry.name).inserted else {
                throw CheckpointError("\(path): \(entry.name)", expected: "each tensor once", found: "it twice")
            }
            let fields: JSONValue = [
                "dtype": .init(entry.type.safetensorsName), "shape": .array(entry.shape.map { .init($0) }),
                "data_offsets": [.init(entry.range.lowerBound), .init(entry.range.upperBound)],
            ]
            members.append(JSONMember(entry.name, fields))
        }
        var json = Array(JSONValue.object(members).serialized().utf8)
        while !json.count.isMultiple(of: 8) { json.append(UInt8(ascii: " ")) }
        guard json.count <= SafetensorsHeader.maximumLength else {
            throw CheckpointError(
                path, expected: "a header of at most \(SafetensorsHeader.maximumLength) bytes",
                found: "\(json.count)", advice: "write fewer tensors to one file")
        }
        return SafetensorsHeader.length(json.count) + json
    }

    private static func write(
        _ header: [UInt8], _ tensors: [Tensor], to descriptor: CInt, path: String, _ isInterrupted: () -> Bool
    ) throws(CheckpointError) {
        for bytes in [header] + tensors.map(\.bytes) { try write(bytes, to: descriptor, path: path, isInterrupted) }
    }

    private static func write(
        _ bytes: [UInt8], to descriptor: CInt, path: String, _ isInterrupted: () -> Bool
    ) throws(CheckpointError) {
        var done = 0
        while done < bytes.count {
            if isInterrupted() { throw CheckpointError(path, expected: "a complete file", found: "an interruption") }
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress! + done, min($0.count - done, 16 << 20))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure(path, "\(bytes.count - done) more bytes to be written")
            }
            done += count
        }
    }

    private static func failure(_ path: String, _ expected: String) -> CheckpointError {
        CheckpointError(path, expected: expected, found: systemMessage())
    }
}
