/// The SHA-256 of files by name, as `sha256sum` writes them: 64 hexadecimal digits, two spaces (or one and a star), a name.
public struct ChecksumList: Sendable, Equatable {
    /// Digests in lower case.
    public let digests: [String: String]

    /// - Parameter name: the list's name in errors.
    public init(_ text: [UInt8], name: String) throws(CheckpointError) {
        var digests: [String: String] = [:]
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where !line.isEmpty && line != [UInt8(ascii: "\r")] {
            func unusable(_ expected: String, _ found: String) -> CheckpointError {
                CheckpointError(
                    .damaged, "\(name):\(index + 1)", expected: expected, found: found,
                    advice: "sha256sum *.safetensors in the folder writes such a list")
            }
            let text = String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
            let digest = text.prefix { $0.isASCII && $0.isHexDigit }
            let rest = text.dropFirst(digest.count)
            guard digest.count == 64, rest.hasPrefix("  ") || rest.hasPrefix(" *"), rest.count > 2 else {
                throw unusable("64 hexadecimal digits, two spaces and a file's name", "\"\(text.prefix(100))\"")
            }
            let path = rest.dropFirst(2)
            let file = String(path.hasPrefix("./") ? path.dropFirst(2) : path)
            guard !file.isEmpty, file != "..", !file.contains("/"), !file.utf8.contains(0) else {
                throw unusable("the name of a file of the folder", "\"\(path)\"")
            }
            guard digests.updateValue(digest.lowercased(), forKey: file) == nil else {
                throw unusable("each file once", "\(file) again")
            }
        }
        guard !digests.isEmpty else {
            throw CheckpointError(.damaged, name, expected: "checksums as sha256sum writes them", found: "none")
        }
        self.digests = digests
    }
}
