import Checkpoint
import Minnow

/// Minnow, the model that travels inside the program.
enum BuiltInModel {
    static let name = "Minnow"

    /// Its files' bytes, where the program was loaded.
    static var files: [String: UnsafeRawBufferPointer] {
        var files: [String: UnsafeRawBufferPointer] = [:]
        for index in 0..<Int(minnow_count) {
            let file = minnow_table[index]
            files[String(cString: file.name)] = UnsafeRawBufferPointer(start: file.start, count: file.end - file.start)
        }
        return files
    }
}
