import Files
import Glibc

/// Replaces a file's content so that at every moment, also after a failure or a power cut, either the old or the new is there.
enum AtomicFile {
    /// Writes beside the file and renames; a symbolic link stays one, and the file keeps its permissions.
    static func write(_ text: String, to path: String) throws(CommandError) { try write(Array(text.utf8), to: path) }

    static func write(_ bytes: [UInt8], to path: String) throws(CommandError) {
        let target = (try? realPath(path)) ?? path
        let status = try? fileStatus(target)
        if let status, status.st_mode & S_IFMT != S_IFREG {
            throw CommandError("\(path): expected a file, found \(fileKind(status)): nothing was saved")
        }
        @discardableResult func step<R>(_ action: String, _ body: () throws(SystemError) -> R) throws(CommandError) -> R
        {
            do throws(SystemError) { return try body() } catch {
                throw CommandError(
                    "\(path): cannot \(action): \(error); nothing was saved"
                        + (status != nil ? ", and the file is as it was" : ""))
            }
        }
        if status != nil {
            // A renamed file would get around a write protection.
            try step("write") { () throws(SystemError) in if access(target, W_OK) != 0 { throw .last } }
        }
        let (file, temporary) = try step("create a file beside it") { () throws(SystemError) in
            try Descriptor.temporary(beside: target)
        }
        do throws(CommandError) {
            do throws(CommandError) {
                try step("write") { () throws(SystemError) in try file.write(bytes) }
                let mode = status.map { $0.st_mode & 0o7777 } ?? 0o666 & ~currentMask()
                try step("set its permissions") { () throws(SystemError) in
                    try retryingInterrupts { fchmod(file.number, mode) }
                }
                try step("store it") { () throws(SystemError) in try file.synchronize() }
            } catch {
                file.discard()
                throw error
            }
            try step("close") { () throws(SystemError) in try file.close() }
            try step("rename") { () throws(SystemError) in try retryingInterrupts { rename(temporary, target) } }
        } catch {
            unlink(temporary)
            throw error
        }
        try storeFolder(of: target, path)
    }

    /// The rename, too, has to reach the disk.
    private static func storeFolder(of target: String, _ path: String) throws(CommandError) {
        let name = target.lastIndex(of: "/").map { String(target[...$0]) } ?? "."
        // A folder that may be written to and not read cannot be asked.
        guard let folder = try? Descriptor.open(name, O_RDONLY | O_DIRECTORY) else { return }
        defer { folder.discard() }
        do throws(SystemError) { try folder.synchronize() } catch {
            // Some file systems cannot do this for a folder, and say EINVAL.
            guard error.code == EINVAL else {
                throw CommandError("\(path): saved, but the disk does not confirm it: \(error)")
            }
        }
    }

    private static func currentMask() -> mode_t {
        let mask = umask(0)
        _ = umask(mask)
        return mask
    }
}

/// In words, the kind of a file that is not regular.
func fileKind(_ status: stat) -> String { status.st_mode & S_IFMT == S_IFDIR ? "a folder" : "a device or pipe" }
