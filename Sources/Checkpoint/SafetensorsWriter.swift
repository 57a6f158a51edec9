import Files
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
            let expected = "a file that can be written to"
            guard status.st_mode & S_IFMT != S_IFDIR else {
                throw CheckpointError(SystemError(code: EISDIR), path, expected: expected)
            }
            guard access(path, W_OK) == 0 else { throw CheckpointError(.last, path, expected: expected) }
            return false
        }
        let target = resolved(path)
        let folder = target.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(target[...$0]) } ?? "."
        guard access(folder, W_OK | X_OK) == 0 else {
            throw CheckpointError(.last, path, expected: "a folder that can be written to")
        }
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
            let file = try onFile(path, "a file that can be written to") { () throws(SystemError) in
                try Descriptor.open(path, O_WRONLY)
            }
            defer { file.discard() }
            return try write(header, tensors, to: file, path: path, isInterrupted)
        }
        let target = resolved(path)
        let temporary = "\(target).\(getpid())-\(UInt32.random(in: 0...UInt32.max)).tmp"
        let file = try onFile(path, "a folder that can be written to") { () throws(SystemError) in
            try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
        }
        do throws(CheckpointError) {
            defer { file.discard() }
            try write(header, tensors, to: file, path: path, isInterrupted)
            try onFile(path, "the data to reach the disk") { () throws(SystemError) in try file.synchronize() }
            try onFile(path, "a name that can be written to") { () throws(SystemError) in
                try retryingInterrupts { rename(temporary, target) }
            }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    private static func resolved(_ path: String) -> String {
        (try? realPath(path)) ?? path
    }

    private static func header(_ tensors: [Tensor], path: String) throws(CheckpointError) -> [UInt8] {
        var entries: [SafetensorsEntry] = []
        var offset = 0
        for tensor in tensors {
            guard SafetensorsHeader.byteCount(tensor.shape, tensor.type) == tensor.bytes.count else {
                throw CheckpointError(
                    .refused, "\(path): \(tensor.name)", expected: "the bytes of \(tensor.type) \(tensor.shape)",
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
                throw CheckpointError(
                    .refused, "\(path): \(entry.name)", expected: "each tensor once", found: "the name again")
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
                .unsupported, path, expected: "a header of at most \(SafetensorsHeader.maximumLength) bytes",
                found: "\(json.count)", advice: "write fewer tensors to one file")
        }
        return SafetensorsHeader.length(json.count) + json
    }

    private static func write(
        _ header: [UInt8], _ tensors: [Tensor], to file: Descriptor, path: String, _ isInterrupted: () -> Bool
    ) throws(CheckpointError) {
        for bytes in [header] + tensors.map(\.bytes) {
            var done = 0
            while done < bytes.count {
                if isInterrupted() {
                    throw CheckpointError(.interrupted, path, expected: "a complete file", found: "an interruption")
                }
                let end = min(done + (16 << 20), bytes.count)
                done += try onFile(path, "\(bytes.count - done) more bytes to be written") { () throws(SystemError) in
                    try file.writePart(bytes[done..<end])
                }
            }
        }
    }
}
