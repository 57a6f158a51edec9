import Glibc
import Terminal

/// Lines of a descriptor as they come, whatever their number.
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
            try fill()
        }
    }

    private mutating func take(_ range: Range<Int>, skipping endCount: Int) -> [UInt8] {
        start = range.upperBound + endCount
        number += 1
        let line = buffer[range]
        return Array(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
    }

    private mutating func fill() throws(CommandError) {
        var part = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(descriptor, &part, part.count)
        if count > 0 {
            buffer += part[..<count]
        } else if count == 0 {
            isAtEnd = true
        } else if errno != EINTR {
            throw CommandError("\(name): expected to read it, found: \(errorText(errno))")
        }
    }
}
