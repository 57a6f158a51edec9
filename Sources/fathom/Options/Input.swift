import Glibc
import Terminal

/// Reading whole files and standard input, with errors that name them.
enum Input {
    /// All bytes of a file.
    static func file(_ path: String) throws(CommandError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path, "expected a file that can be read") }
        defer { close(descriptor) }
        return try bytes(of: descriptor, name: path)
    }

    /// All bytes of standard input.
    static func standard() throws(CommandError) -> [UInt8] { try bytes(of: 0, name: "standard input") }

    private static func bytes(of descriptor: Int32, name: String) throws(CommandError) -> [UInt8] {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &part, part.count)
            if count == 0 { return bytes }
            if count > 0 {
                bytes += part[..<count]
            } else if errno != EINTR {
                throw failure(name, "expected to read it")
            }
        }
    }

    private static func failure(_ name: String, _ expected: String) -> CommandError {
        CommandError("\(name): \(expected), found: \(errorText(errno))")
    }

    /// Bytes as text, one line end at its end left out; an error where they are not UTF-8.
    static func text(_ bytes: [UInt8], name: String) throws(CommandError) -> String {
        var bytes = bytes
        if bytes.last == UInt8(ascii: "\n") {
            bytes.removeLast()
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            let valid = String(decoding: bytes, as: UTF8.self).utf8
            let place = zip(bytes, valid).prefix { $0 == $1 }.count
            throw CommandError(
                "\(name): expected text in UTF-8, found byte \(bytes[place]) at offset \(place), which is none")
        }
        return text
    }

    /// The lines of a text, without their ends; a line end at the text's end begins no further line.
    static func lines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
    }
}

/// A line on stderr, under the program's name as a shell shows it.
func note(_ text: String) throws(TerminalError) {
    try Output.error.write(Surroundings.current().note("fathom: \(text)") + "\n")
}
