import Files
import Glibc

/// The location of a checkpoint's files.
public enum CheckpointSource: @unchecked Sendable {
    /// A folder of the file system.
    case folder(String)
    /// Files in memory, by name. The memory must outlive all readers.
    case memory(name: String, [String: UnsafeRawBufferPointer])

    /// The source's name in errors.
    public var name: String {
        switch self {
        case .folder(let path): path
        case .memory(let name, _): name
        }
    }

    /// Whether the source has a file with this name.
    public func exists(_ file: String) -> Bool {
        switch self {
        case .folder: access(path(of: file), F_OK) == 0
        case .memory(_, let files): files[file] != nil
        }
    }

    /// The content of a file of at most 1 GiB.
    public func read(_ file: String) throws(CheckpointError) -> [UInt8] {
        let source = try open(file)
        guard source.byteCount <= 1 << 30 else {
            throw CheckpointError(
                .unsupported, path(of: file), expected: "at most 1 GiB", found: "\(source.byteCount) bytes")
        }
        return try source.bytes(at: 0, count: source.byteCount)
    }

    /// A file's path, which errors use as its name.
    func path(of file: String) -> String { name.hasSuffix("/") ? name + file : "\(name)/\(file)" }

    /// Opens a file for reading at any offset.
    func open(_ file: String) throws(CheckpointError) -> RandomAccessFile {
        switch self {
        case .folder(let folder):
            try Self.checkFolder(folder)
            return try RandomAccessFile(path: path(of: file))
        case .memory(let name, let files):
            guard let bytes = files[file] else {
                throw CheckpointError(
                    .missing, path(of: file), expected: "a file", found: "none of this name",
                    advice: "\(name) is part of the program: build it again")
            }
            return RandomAccessFile(name: path(of: file), bytes: bytes)
        }
    }

    private static func checkFolder(_ path: String) throws(CheckpointError) {
        var status = stat()
        let advice: CheckpointError.Advice = "name the folder that holds config.json and the .safetensors files"
        guard stat(path, &status) == 0 else {
            throw CheckpointError(.last, path, expected: "a model's folder", advice: advice)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw CheckpointError(.missing, path, expected: "a model's folder", found: "a file", advice: advice)
        }
    }
}
