import Files
import Glibc

/// Reading whole files and standard input, with errors that name them.
enum Input {
    /// All bytes of a file.
    static func file(_ path: String) throws(CommandError) -> [UInt8] {
        let file: Descriptor
        do throws(SystemError) { file = try Descriptor.open(path, O_RDONLY) } catch {
            throw CommandError("\(path): expected a file that can be read, found: \(error)")
        }
        defer { file.discard() }
        return try reading(path) { () throws(SystemError) in try file.readAll() }
    }

    /// All bytes of standard input.
    static func standard() throws(CommandError) -> [UInt8] {
        try reading("standard input") { () throws(SystemError) in try Descriptor(0).readAll() }
    }

    /// Bytes as text, without the line end at its end; an error where they are not UTF-8.
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
                "\(name): expected text in UTF-8, found byte \(bytes[place]) at offset \(place), which is not UTF-8")
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

/// Lines of standard input or a pipe as they arrive, without end to their number.
struct LineReader {
    /// The number of the line read last, from 1.
    private(set) var number = 0
    private let descriptor: Int32
    private let name: String
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false

    init(descriptor: Int32, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    /// The next line without its end; nil after the last one.
    mutating func next() throws(CommandError) -> [UInt8]? {
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                return take(start..<end, skipping: 1)
            }
            if isAtEnd { return start < buffer.count ? take(start..<buffer.count, skipping: 0) : nil }
            searched = buffer.count - start
            buffer.removeFirst(start)
            start = 0
            let part = try reading(name) { () throws(SystemError) in try Descriptor(descriptor).read(upTo: 1 << 16) }
            buffer += part
            isAtEnd = part.isEmpty
        }
    }

    private mutating func take(_ range: Range<Int>, skipping endCount: Int) -> [UInt8] {
        start = range.upperBound + endCount
        number += 1
        let line = buffer[range]
        return Array(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
    }
}

private func reading(
    _ name: String, _ body: () throws(SystemError) -> [UInt8]
) throws(CommandError) -> [UInt8] {
    do throws(SystemError) { return try body() } catch {
        throw CommandError("\(name): expected to read it, found: \(error)")
    }
}
