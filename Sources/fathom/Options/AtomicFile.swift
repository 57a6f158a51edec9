import Glibc
import Terminal

/// Replaces a file's content so that at every moment, also after a failure or a power cut, either the old or the new is there.
enum AtomicFile {
    /// Writes beside the file and renames; a symbolic link stays one, and the file keeps its permissions.
    static func write(_ text: String, to path: String) throws(CommandError) { try write(Array(text.utf8), to: path) }

    static func write(_ bytes: [UInt8], to path: String) throws(CommandError) {
        let target = resolved(path)
        var status = stat()
        let exists = stat(target, &status) == 0
        if exists, status.st_mode & S_IFMT != S_IFREG {
            throw CommandError("\(path): expected a file, found \(fileKind(status)): nothing was saved")
        }
        // A renamed file would get around a write protection.
        if exists, access(target, W_OK) != 0 { throw failure(path, "write", exists) }

        var template = Array("\(target).XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw failure(path, "create a file beside it", exists) }
        let temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        do throws(CommandError) {
            try fill(descriptor, bytes, mode: exists ? status.st_mode & 0o7777 : 0o666 & ~currentMask(), path, exists)
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, target) == 0 else {
            let error = failure(path, "rename", exists)
            unlink(temporary)
            throw error
        }
        try storeFolder(of: target, path)
    }

    /// Writes, stores and closes the temporary file.
    private static func fill(
        _ descriptor: Int32, _ bytes: [UInt8], mode: mode_t, _ path: String, _ exists: Bool
    ) throws(CommandError) {
        var problem: CommandError?
        do throws(TerminalError) { try Output(descriptor: descriptor).write(bytes) } catch {
            if case .system(_, _, let code) = error { problem = failure(path, "write", exists, code) }
            problem = problem ?? CommandError("\(path): \(error)")
        }
        if problem == nil, fchmod(descriptor, mode) != 0 { problem = failure(path, "set its permissions", exists) }
        if problem == nil, fsync(descriptor) != 0 { problem = failure(path, "store it", exists) }
        // Network file systems report a full disk here.
        if close(descriptor) != 0, problem == nil { problem = failure(path, "close", exists) }
        if let problem { throw problem }
    }

    /// The rename, too, has to reach the disk.
    private static func storeFolder(of target: String, _ path: String) throws(CommandError) {
        let folder = target.lastIndex(of: "/").map { String(target[...$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // Some file systems cannot do this for a folder, and say EINVAL.
        if fsync(descriptor) != 0, errno != EINVAL {
            throw CommandError("\(path): saved, but the disk does not confirm it: \(errorText(errno))")
        }
    }

    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    private static func currentMask() -> mode_t {
        let mask = umask(0)
        _ = umask(mask)
        return mask
    }

    private static func failure(
        _ path: String, _ action: String, _ exists: Bool, _ code: Int32 = errno
    ) -> CommandError {
        CommandError(
            "\(path): cannot \(action): \(errorText(code)); nothing was saved"
                + (exists ? ", and the file is as it was" : ""))
    }
}

/// What it is that is no regular file, in words.
func fileKind(_ status: stat) -> String { status.st_mode & S_IFMT == S_IFDIR ? "a folder" : "a device or pipe" }
