import ArgumentParser
import Checkpoint
import Files
import Glibc
import Minnow

/// Where a model's files are: a folder, or the program itself.
struct ModelSource {
    let checkpoint: CheckpointSource

    /// - Parameter folder: the value of `--model`; nil for the built-in model.
    init(folder: String?) {
        checkpoint = folder.map { .folder($0) } ?? .memory(name: BuiltInModel.name, BuiltInModel.files)
    }

    /// An unset variable of a shell must not stand for the root of the file system.
    static func validate(folder: String?) throws {
        if folder == "" { throw ValidationError("--model: expected a folder, found an empty text") }
    }

    var name: String { checkpoint.name }

    /// A file's bytes; nil if there is none of that name.
    func read(_ file: String) throws -> [UInt8]? {
        if checkpoint.exists(file) { return try checkpoint.read(file) }
        // A folder that is not there or cannot be entered should not look like one without the file.
        if case .folder(let path) = checkpoint, access("\(path)/.", R_OK | X_OK) != 0 {
            throw CommandError(
                "\(path): expected a folder with a checkpoint that can be read, found: \(SystemError.last)")
        }
        return nil
    }

    /// The model's tokenizer and configuration; nil if it has none.
    func text() throws -> ModelText? { try ModelText(read: read) }

    /// The same, for what cannot do without.
    func requiredText() throws -> ModelText {
        guard let text = try text() else {
            throw CommandError(
                "\(name): expected tokenizer.json, found none: add it (fathom generate --prompt-tokens does without)")
        }
        return text
    }
}

/// Minnow, the model that travels inside the program.
enum BuiltInModel {
    static let name = "Minnow"

    /// The bytes of its files, at their address in the loaded program.
    static var files: [String: UnsafeRawBufferPointer] {
        var files: [String: UnsafeRawBufferPointer] = [:]
        for index in 0..<Int(minnow_count) {
            let file = minnow_table[index]
            files[String(cString: file.name)] = UnsafeRawBufferPointer(start: file.start, count: file.end - file.start)
        }
        return files
    }
}
