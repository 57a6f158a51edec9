import Glibc

/// All that a conversion does to the file system, in one place, so that a test can have any of it fail.
struct ConversionFiles: Sendable {
    enum Operation: Sendable {
        case makeFolder, create, read, write(byteCount: Int), store, rename, remove
    }

    /// What goes wrong instead: the system's code, and for a write how much of it was done.
    struct Fault: Sendable {
        var code: CInt
        var writtenByteCount = 0
    }

    /// Asked before each operation.
    var fault: @Sendable (Operation, _ path: String) -> Fault? = { _, _ in nil }

    func makeFolder(_ path: String) throws(CheckpointError) {
        try check(.makeFolder, path, "a folder that can be made")
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw failure(path, "a folder that can be made") }
    }

    /// Makes a file anew, whatever was left under its name.
    func create(_ path: String) throws(CheckpointError) -> OutputFile {
        try remove(path)
        try check(.create, path, "a file that can be made")
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure(path, "a file that can be made") }
        return OutputFile(path: path, descriptor: descriptor, files: self)
    }

    /// A whole small file, at every moment either absent (or as it was) or complete.
    func write(_ bytes: [UInt8], to path: String) throws(CheckpointError) {
        let file = try create(path + Self.temporarySuffix)
        var failure: CheckpointError?
        bytes.withUnsafeBytes { raw in
            do throws(CheckpointError) { try file.write(raw, at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
        try file.finish(as: path)
    }

    /// What a file is called until it is whole.
    static let temporarySuffix = ".partial"

    func rename(_ path: String, to target: String) throws(CheckpointError) {
        try check(.rename, path, "to become \(target)")
        guard Glibc.rename(path, target) == 0 else { throw failure(path, "to become \(target)") }
    }

    func remove(_ path: String) throws(CheckpointError) {
        guard access(path, F_OK) == 0 || errno != ENOENT else { return }
        try check(.remove, path, "a file that can be removed")
        guard unlink(path) == 0 || errno == ENOENT else { throw failure(path, "a file that can be removed") }
    }

    /// Has a folder's names reach the disk.
    func storeFolder(_ path: String) throws(CheckpointError) {
        try check(.store, path, "its names to reach the disk")
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path, "a folder that can be read") }
        defer { close(descriptor) }
        // Some file systems cannot do this for a folder, and say EINVAL.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw failure(path, "its names to reach the disk") }
    }

    func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The names in a folder, but for `.` and `..`; none if there is no such folder.
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

/// A file being written at any offset, from any number of threads.
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

    /// Has the content reach the disk, and then gives the file its name.
    func finish(as name: String) throws(CheckpointError) {
        try files.check(.store, path, "its content to reach the disk")
        guard fsync(descriptor) == 0 else { throw files.failure(path, "its content to reach the disk") }
        try files.rename(path, to: name)
    }
}
