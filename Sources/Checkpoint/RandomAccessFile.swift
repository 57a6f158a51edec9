import Glibc

/// An open file, or bytes in memory, that any number of threads read at once.
///
/// Never mapped: a file cut short while it is mapped kills the process, while a short read is an error.
final class RandomAccessFile: @unchecked Sendable {
    /// The path, for errors.
    let name: String
    let byteCount: Int
    private let descriptor: CInt
    private let memory: UnsafeRawBufferPointer

    init(path: String) throws(CheckpointError) {
        // O_NONBLOCK: a named pipe must fail below rather than wait for a writer.
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw CheckpointError(path, expected: "a readable file", found: systemMessage())
        }
        var status = stat()
        let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        guard isFile else {
            close(descriptor)
            throw CheckpointError(path, expected: "a regular file", found: "a folder, a device or a pipe")
        }
        name = path
        byteCount = Int(status.st_size)
        self.descriptor = descriptor
        memory = UnsafeRawBufferPointer(start: nil, count: 0)
    }

    init(name: String, bytes: UnsafeRawBufferPointer) {
        self.name = name
        byteCount = bytes.count
        descriptor = -1
        memory = bytes
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Fills `destination` from `offset` on.
    func read(at offset: Int, into destination: UnsafeMutableRawBufferPointer) throws(CheckpointError) {
        guard offset >= 0, destination.count <= byteCount, offset <= byteCount - destination.count else {
            throw tooShort(offset: offset, count: destination.count, size: byteCount)
        }
        guard descriptor >= 0 else {
            destination.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[offset..<offset + destination.count]))
            return
        }
        var done = 0
        while done < destination.count {
            let count = pread(
                descriptor, destination.baseAddress! + done, min(destination.count - done, 1 << 30),
                off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw CheckpointError(
                    name, expected: "\(destination.count) readable bytes at \(offset)", found: systemMessage())
            }
            guard count > 0 else { throw tooShort(offset: offset, count: destination.count, size: offset + done) }
            done += count
        }
    }

    func bytes(at offset: Int, count: Int) throws(CheckpointError) -> [UInt8] {
        // Checked first: the count may come from the file itself, and must not decide how much is allocated.
        guard offset >= 0, count >= 0, count <= byteCount, offset <= byteCount - count else {
            throw tooShort(offset: offset, count: count, size: byteCount)
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        defer { buffer.deallocate() }
        try read(at: offset, into: buffer)
        return [UInt8](buffer)
    }

    private func tooShort(offset: Int, count: Int, size: Int) -> CheckpointError {
        CheckpointError(
            name, expected: "\(count) bytes at \(offset)", found: "the end of the file at \(size)",
            advice: "the file is incomplete or has changed: download it again")
    }
}
