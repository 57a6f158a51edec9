import Glibc

/// All changes that a conversion makes to the file system, in one place, so that tests can inject faults.
struct ConversionFiles: Sendable {
    enum Operation: Sendable {
        case makeFolder, create, read, write(byteCount: Int), store, rename, remove
    }

    /// An injected fault: the errno to report, and for a write the number of bytes written before it fails.
    struct Fault: Sendable {
        var code: CInt
        var writtenByteCount = 0
    }

    /// Called before each operation; returns the fault to inject, or nil.
    var fault: @Sendable (Operation, _ path: String) -> Fault? = { _, _ in nil }

    func makeFolder(_ path: String) throws(CheckpointError) {
        try check(.makeFolder, path, "a folder that can be created")
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw failure(path, "a folder that can be created") }
    }

    /// Creates a file and replaces an existing one.
    func create(_ path: String) throws(CheckpointError) -> OutputFile {
        try remove(path)
        try check(.create, path, "a file that can be created")
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure(path, "a file that can be created") }
        return OutputFile(path: path, descriptor: descriptor, files: self)
    }

    /// Writes a small file atomically: the path has either its old or its complete new content.
    func write(_ bytes: [UInt8], to path: String) throws(CheckpointError) {
        let file = try create(path + Self.temporarySuffix)
        var failure: CheckpointError?
        bytes.withUnsafeBytes { raw in
            do throws(CheckpointError) { try file.write(raw, at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
        try file.finish(as: path)
    }

    /// The suffix of a file that is not complete yet.
    static let temporarySuffix = ".partial"

    func rename(_ path: String, to target: String) throws(CheckpointError) {
        try check(.rename, path, "a file that can be renamed to \(target)")
        guard Glibc.rename(path, target) == 0 else { throw failure(path, "a file that can be renamed to \(target)") }
    }

    func remove(_ path: String) throws(CheckpointError) {
        guard access(path, F_OK) == 0 || errno != ENOENT else { return }
        try check(.remove, path, "a file that can be removed")
        guard unlink(path) == 0 || errno == ENOENT else { throw failure(path, "a file that can be removed") }
    }

    /// Flushes a folder's entries to disk.
    func storeFolder(_ path: String) throws(CheckpointError) {
        try check(.store, path, "a folder that can be flushed to disk")
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path, "a folder that can be read") }
        defer { close(descriptor) }
        // File systems that cannot flush a folder return EINVAL.
        guard fsync(descriptor) == 0 || errno == EINVAL else {
            throw failure(path, "a folder that can be flushed to disk")
        }
    }

    func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The sorted names in a folder, except `.` and `..`; none if the folder does not exist.
    func names(in path: String) throws(CheckpointError) -> [String] {
        guard let folder = opendir(path) else {
            if errno == ENOENT { return [] }
            throw failure(path, "a folder that can be read")
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func check(_ operation: Operation, _ path: String, _ expected: String) throws(CheckpointError) {
        guard let fault = fault(operation, path) else { return }
        errno = fault.code
        throw failure(path, expected)
    }

    fileprivate func failure(_ path: String, _ expected: String) -> CheckpointError {
        let advice = errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? "make room" : nil
        return CheckpointError(path, expected: expected, found: systemMessage(), advice: advice)
    }
}

/// A file that threads may write concurrently at any offset.
final class OutputFile: Sendable {
    let path: String
    private let descriptor: CInt
    private let files: ConversionFiles

    fileprivate init(path: String, descriptor: CInt, files: ConversionFiles) {
        self.path = path
        self.descriptor = descriptor
        self.files = files
    }

    deinit { close(descriptor) }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(CheckpointError) {
        let expected = "\(bytes.count) bytes to be written at \(offset)"
        if let fault = files.fault(.write(byteCount: bytes.count), path) {
            if fault.writtenByteCount > 0 {
                _ = pwrite(descriptor, bytes.baseAddress, min(fault.writtenByteCount, bytes.count), off_t(offset))
            }
            errno = fault.code
            throw files.failure(path, expected)
        }
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw files.failure(path, expected)
            }
            done += count
        }
    }

    /// Flushes the content to disk, then renames the file to `name`.
    func finish(as name: String) throws(CheckpointError) {
        try files.check(.store, path, "content that can be flushed to disk")
        guard fsync(descriptor) == 0 else { throw files.failure(path, "content that can be flushed to disk") }
        try files.rename(path, to: name)
    }
}
