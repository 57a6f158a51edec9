import Files
import Glibc

/// The changes that a conversion makes to a file system, each of which may fail.
protocol ConversionStorage: Sendable {
    func makeFolder(_ path: String) throws(SystemError)
    /// Creates a file; fails if it exists.
    func create(_ path: String) throws(SystemError) -> Descriptor
    func write(_ bytes: UnsafeRawBufferPointer, to file: Descriptor, at offset: Int) throws(SystemError)
    /// Flushes a file's content to the disk.
    func store(_ file: Descriptor) throws(SystemError)
    /// Flushes a folder's entries to the disk.
    func storeFolder(_ path: String) throws(SystemError)
    func rename(_ path: String, to target: String) throws(SystemError)
    func remove(_ path: String) throws(SystemError)
}

/// The operating system's files.
struct SystemStorage: ConversionStorage {
    func makeFolder(_ path: String) throws(SystemError) {
        do throws(SystemError) { try retryingInterrupts { mkdir(path, 0o755) } } catch {
            if error.code != EEXIST { throw error }
        }
    }

    func create(_ path: String) throws(SystemError) -> Descriptor {
        try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
    }

    func write(_ bytes: UnsafeRawBufferPointer, to file: Descriptor, at offset: Int) throws(SystemError) {
        try file.write(bytes, at: offset)
    }

    func store(_ file: Descriptor) throws(SystemError) { try file.synchronize() }

    func storeFolder(_ path: String) throws(SystemError) {
        let folder = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
        defer { folder.discard() }
        do throws(SystemError) { try folder.synchronize() } catch {
            // Some file systems cannot do this for a folder, and say EINVAL.
            if error.code != EINVAL { throw error }
        }
    }

    func rename(_ path: String, to target: String) throws(SystemError) {
        try retryingInterrupts { Glibc.rename(path, target) }
    }

    func remove(_ path: String) throws(SystemError) { try retryingInterrupts { unlink(path) } }
}

/// The file operations of a conversion. Their errors name the file.
struct ConversionFiles: Sendable {
    /// The suffix of a file's name until the file is complete.
    static let temporarySuffix = ".partial"

    fileprivate let storage: any ConversionStorage

    init(_ storage: any ConversionStorage = SystemStorage()) { self.storage = storage }

    func makeFolder(_ path: String) throws(CheckpointError) {
        try onFile(path, "a folder that can be made") { () throws(SystemError) in try storage.makeFolder(path) }
    }

    /// Creates a file and replaces an existing one.
    func create(_ path: String) throws(CheckpointError) -> OutputFile {
        try remove(path)
        let descriptor = try onFile(path, "a file that can be made") { () throws(SystemError) in
            try storage.create(path)
        }
        return OutputFile(path: path, descriptor: descriptor, files: self)
    }

    /// Writes a small file atomically: the path has either its old or its complete new content.
    func write(_ bytes: [UInt8], to path: String) throws(CheckpointError) {
        let file = try create(path + Self.temporarySuffix)
        try file.write(bytes, at: 0)
        try file.finish(as: path)
    }

    func rename(_ path: String, to target: String) throws(CheckpointError) {
        try onFile(path, "to become \(target)") { () throws(SystemError) in try storage.rename(path, to: target) }
    }

    /// Removes a file, if it is there.
    func remove(_ path: String) throws(CheckpointError) {
        guard access(path, F_OK) == 0 || errno != ENOENT else { return }
        try onFile(path, "a file that can be removed") { () throws(SystemError) in
            do throws(SystemError) { try storage.remove(path) } catch { if error.code != ENOENT { throw error } }
        }
    }

    /// Flushes a folder's entries to disk.
    func storeFolder(_ path: String) throws(CheckpointError) {
        try onFile(path, "its names to reach the disk") { () throws(SystemError) in try storage.storeFolder(path) }
    }

    func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The names in a folder, sorted, without `.` and `..`; empty if the folder does not exist.
    func names(in path: String) throws(CheckpointError) -> [String] {
        do throws(SystemError) { return try folderNames(path) } catch {
            if error.code == ENOENT { return [] }
            throw CheckpointError(error, path, expected: "a folder that can be read")
        }
    }
}

/// A file that threads may write concurrently at any offset.
final class OutputFile: Sendable {
    let path: String
    private let descriptor: Descriptor
    private let files: ConversionFiles

    fileprivate init(path: String, descriptor: Descriptor, files: ConversionFiles) {
        self.path = path
        self.descriptor = descriptor
        self.files = files
    }

    deinit { descriptor.discard() }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(CheckpointError) {
        try onFile(path, "\(bytes.count) bytes to be written at \(offset)") { () throws(SystemError) in
            try files.storage.write(bytes, to: descriptor, at: offset)
        }
    }

    func write(_ bytes: [UInt8], at offset: Int) throws(CheckpointError) {
        let failure = bytes.withUnsafeBytes { raw -> CheckpointError? in
            do throws(CheckpointError) { try write(raw, at: offset) } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }

    /// Flushes the content to disk, then renames the file to `name`.
    func finish(as name: String) throws(CheckpointError) {
        try onFile(path, "its content to reach the disk") { () throws(SystemError) in
            try files.storage.store(descriptor)
        }
        try files.rename(path, to: name)
    }
}
