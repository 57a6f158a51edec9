import Files
import Glibc

/// An open file, or bytes in memory. Any number of threads may read it.
///
/// Does not map files: if a mapped file is truncated, access kills the process, whereas a short read is an error.
final class RandomAccessFile: @unchecked Sendable {
    /// The path, for errors.
    let name: String
    let byteCount: Int
    /// Nil for bytes in memory.
    private let file: Descriptor?
    private let memory: UnsafeRawBufferPointer

    init(path: String) throws(CheckpointError) {
        // O_NONBLOCK: a named pipe must fail below rather than wait for a writer.
        let file = try onFile(path, "a readable file") { () throws(SystemError) in
            try Descriptor.open(path, O_RDONLY | O_NONBLOCK)
        }
        do throws(CheckpointError) {
            let status = try onFile(path, "a readable file") { () throws(SystemError) in try file.status() }
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw CheckpointError(
                    .missing, path, expected: "a regular file", found: "a folder, a device or a pipe")
            }
            byteCount = Int(status.st_size)
        } catch {
            file.discard()
            throw error
        }
        name = path
        self.file = file
        memory = UnsafeRawBufferPointer(start: nil, count: 0)
    }

    init(name: String, bytes: UnsafeRawBufferPointer) {
        self.name = name
        byteCount = bytes.count
        file = nil
        memory = bytes
    }

    deinit { file?.discard() }

    /// Fills `destination` with the bytes from `offset` on. Throws if the file is too short.
    func read(at offset: Int, into destination: UnsafeMutableRawBufferPointer) throws(CheckpointError) {
        guard offset >= 0, destination.count <= byteCount, offset <= byteCount - destination.count else {
            throw tooShort(offset: offset, count: destination.count, size: byteCount)
        }
        guard let file else {
            destination.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[offset..<offset + destination.count]))
            return
        }
        let count = try onFile(name, "\(destination.count) readable bytes at \(offset)") { () throws(SystemError) in
            try file.read(into: destination, at: offset)
        }
        guard count == destination.count else {
            throw tooShort(offset: offset, count: destination.count, size: offset + count)
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
            .damaged, name, expected: "\(count) bytes at \(offset)", found: "the end of the file at \(size)",
            advice: "the file is incomplete or has changed: download it again")
    }
}
