import Glibc

/// An open file, or bytes in memory. Any number of threads may read it.
///
/// Does not map files: if a mapped file is truncated, access kills the process, whereas a short read is an error.
final class RandomAccessFile: @unchecked Sendable {
    /// The path, for errors.
    let name: String
    let byteCount: Int
    private let descriptor: CInt
    private let memory: UnsafeRawBufferPointer

    init(path: String) throws(CheckpointError) {
        // O_NONBLOCK: opening a named pipe must not wait for a writer; it is refused below.
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

    /// Fills `destination` with the bytes from `offset` on. Throws if the file is too short.
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
        // Checked before allocating, since `count` may come from an untrusted file.
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
