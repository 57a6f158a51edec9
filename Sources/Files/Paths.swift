import Glibc

/// The names in a folder, but for `.` and `..`, sorted.
public func folderNames(_ path: String) throws(SystemError) -> [String] {
    guard let folder = opendir(path) else { throw .last }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

/// The absolute path of an existing file or folder, without links and dots.
public func realPath(_ path: String) throws(SystemError) -> String {
    guard let real = realpath(path, nil) else { throw .last }
    defer { free(real) }
    return String(cString: real)
}

/// The status of the file or folder at `path`; follows symbolic links.
public func fileStatus(_ path: String) throws(SystemError) -> stat {
    var status = stat()
    try retryingInterrupts { stat(path, &status) }
    return status
}
