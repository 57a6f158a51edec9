import Glibc

/// An open file, pipe or terminal by its number. Copies share the number; the code that opens one must close it once.
public struct Descriptor: Sendable {
    public let number: Int32

    public init(_ number: Int32) { self.number = number }

    /// Opens a file; a child process does not inherit it.
    ///
    /// - Parameters:
    ///   - flags: as `open` takes them, such as `O_RDONLY`.
    ///   - mode: the permissions of a file that `O_CREAT` makes, less the process's mask.
    public static func open(_ path: String, _ flags: Int32, mode: mode_t = 0o666) throws(SystemError) -> Descriptor {
        Descriptor(try retryingInterrupts { Glibc.open(path, flags | O_CLOEXEC, mode) })
    }

    /// Makes a file beside `path`, readable by its owner alone, and opens it for writing.
    public static func temporary(beside path: String) throws(SystemError) -> (file: Descriptor, path: String) {
        var template: [CChar] = []
        let number = try retryingInterrupts {
            template = Array("\(path).XXXXXX".utf8CString)
            return mkstemp(&template)
        }
        _ = fcntl(number, F_SETFD, FD_CLOEXEC)
        return (Descriptor(number), String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self))
    }

    /// Network file systems report a full disk here.
    public func close() throws(SystemError) {
        if Glibc.close(number) != 0, errno != EINTR { throw .last }
    }

    /// Closes a file that was only read, or whose content is given up.
    public func discard() { _ = Glibc.close(number) }

    public func status() throws(SystemError) -> stat {
        var status = stat()
        try retryingInterrupts { fstat(number, &status) }
        return status
    }

    /// Flushes the content to the disk.
    public func synchronize() throws(SystemError) { try retryingInterrupts { fsync(number) } }

    // MARK: Reading

    /// Reads the available bytes, at most `buffer`'s size; waits if none is available yet.
    ///
    /// - Returns: the number of bytes; 0 at the end.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        try retryingInterrupts { Glibc.read(number, buffer.baseAddress, buffer.count) }
    }

    /// Reads the available bytes, at most `most`; empty at the end of the file.
    public func read(upTo most: Int) throws(SystemError) -> [UInt8] {
        try filled(most) { (buffer) throws(SystemError) in try read(into: buffer) }
    }

    /// All remaining bytes, up to the end of the file.
    public func readAll() throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let part = try read(upTo: 1 << 16)
            if part.isEmpty { return bytes }
            bytes += part
        }
    }

    /// Fills `buffer` from the file's byte `offset` on.
    ///
    /// - Returns: the number of bytes; less than `buffer` holds where the file ends before.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SystemError) -> Int {
        var done = 0
        while done < buffer.count {
            // Linux reads no more than 2 GiB at once.
            let count = try retryingInterrupts {
                pread(number, buffer.baseAddress! + done, min(buffer.count - done, 1 << 30), off_t(offset + done))
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// `count` bytes from the file's byte `offset` on; fewer where the file ends before.
    public func bytes(at offset: Int, count: Int) throws(SystemError) -> [UInt8] {
        try filled(count) { (buffer) throws(SystemError) in try read(into: buffer, at: offset) }
    }

    private func filled(
        _ most: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(SystemError) -> Int
    ) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
            do throws(SystemError) { count = try fill(UnsafeMutableRawBufferPointer(buffer)) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    // MARK: Writing

    /// Writes the beginning of `bytes` with one system call, which may write fewer bytes than all.
    ///
    /// - Returns: the number of bytes.
    public func writePart(_ bytes: ArraySlice<UInt8>) throws(SystemError) -> Int {
        try retryingInterrupts { bytes.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) } }
    }

    /// Writes all of `bytes`, waiting where the reader is slow, even if the descriptor is set not to block.
    public func write(_ bytes: [UInt8]) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            do throws(SystemError) { rest = rest.dropFirst(try writePart(rest)) } catch {
                // Another program may have left a shared terminal non-blocking.
                guard error.code == EAGAIN else { throw error }
                var waiting = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
                try retryingInterrupts { poll(&waiting, 1, -1) }
            }
        }
    }

    /// Writes all of `bytes` to the file from its byte `offset` on.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            done += try retryingInterrupts {
                pwrite(number, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            }
        }
    }
}
