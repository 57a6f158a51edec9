import Files
import Glibc

/// Reads messages at a terminal: draws the editor's text, passes it keys, follows the window's size.
///
/// The terminal does not echo from creation until `close()`. Between two messages, while an answer is written, Ctrl-C
/// and Ctrl-Z are signals, and typed text is kept for the next message; the caller regularly calls `collectTyped()`
/// then.
public final class LineEditor {
    public var editor: Editor
    private let input: Int32
    private let output: Output
    private let mode: TerminalMode
    private let usesEscapeCodes: Bool
    private var decoder = KeyDecoder()
    /// Number of bytes typed before this object changed the terminal's modes. In them Enter is a line feed.
    private var earlierByteCount: Int
    /// Bytes typed between two messages.
    private var typed: [UInt8] = []
    /// Keys that arrived together with, and after, the key that ended the last message.
    private var waiting: [Key] = []
    private var frame = FrameRenderer()
    private var row = RowRenderer()
    private var shown: EditView?

    /// - Parameter usesEscapeCodes: if false, uses only carriage returns and spaces, in one row.
    public init(
        editor: Editor, input: Int32 = 0, output: Output = .standard, usesEscapeCodes: Bool
    ) throws(TerminalError) {
        self.editor = editor
        self.input = input
        self.output = output
        self.usesEscapeCodes = usesEscapeCodes
        var count: Int32 = 0
        earlierByteCount = ioctl(input, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
        mode = try TerminalMode(input: input, output: output.descriptor, usesEscapeCodes: usesEscapeCodes)
    }

    /// Restores the terminal's modes.
    public func close() { mode.restore() }

    /// Reads the next message; returns nil on Ctrl-D or if the terminal has hung up.
    public func readMessage(prompt: Prompt) throws(TerminalError) -> String? {
        try mode.set(.editing)
        Signals.interrupts.store(0, ordering: .relaxed)
        editor.begin()
        shown = nil
        // After nil the caller closes the editor, and the modes of a terminal that hung up cannot be set.
        guard let message = try edit(prompt) else { return nil }
        try mode.set(.working)
        return message
    }

    /// Reads the bytes typed so far. The terminal's own queue holds 4096 bytes: behind a longer paste, Ctrl-C would
    /// have no effect until the queue is read.
    public func collectTyped() {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            var watched = pollfd(fd: input, events: Int16(POLLIN), revents: 0)
            guard poll(&watched, 1, 0) > 0, watched.revents & Int16(POLLIN) != 0 else { return }
            let count = read(input, &bytes, bytes.count)
            guard count > 0 else { return }
            typed += bytes[..<count]
        }
    }

    /// Discards the bytes typed so far, as a terminal discards its queue on Ctrl-C.
    public func dropTyped() { typed = [] }

    private func edit(_ prompt: Prompt) throws(TerminalError) -> String? {
        try show(prompt)
        while true {
            guard let keys = try nextKeys(prompt) else { return nil }
            for (index, key) in keys.enumerated() {
                let event = editor.handle(
                    joinedPaste(key, at: index, of: keys), columns: screenSize(output.descriptor).columns)
                switch event {
                case .changed: break
                case .refused: if usesEscapeCodes { try output.write("\u{7}") }
                case .submitted(let text):
                    waiting = Array(keys[(index + 1)...])
                    try finish(prompt)
                    return text
                case .endOfInput:
                    try finish(prompt)
                    return nil
                case .clearScreen:
                    if usesEscapeCodes { try output.write("\u{1B}[H\u{1B}[2J") }
                    frame.forget()
                    shown = nil
                case .suspend:
                    try output.write("\r\n")
                    frame.forget()
                    shown = nil
                    raise(SIGTSTP)
                }
            }
            try show(prompt)
        }
    }

    /// Without bracketed paste, an Enter directly followed by text counts as a pasted line break.
    private func joinedPaste(_ key: Key, at index: Int, of keys: [Key]) -> Key {
        guard !usesEscapeCodes, key == .enter, index + 1 < keys.count, case .text = keys[index + 1] else { return key }
        return .lineBreak
    }

    /// Waits for keys and redraws when the window's size changes; returns nil at the end of the input.
    private func nextKeys(_ prompt: Prompt) throws(TerminalError) -> [Key]? {
        if !waiting.isEmpty {
            defer { waiting = [] }
            return waiting
        }
        if !typed.isEmpty {
            let keys = decode(typed[...])
            typed = []
            if !keys.isEmpty { return keys }
        }
        while true {
            var watched = [
                pollfd(fd: input, events: Int16(POLLIN), revents: 0),
                pollfd(fd: Signals.wakeDescriptor, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&watched, 2, decoder.awaitsSequence ? 100 : -1)
            // An interrupted call is not repeated: the signals are handled below.
            guard ready >= 0 || errno == EINTR else { throw .system(call: "poll", object: "terminal", .last) }
            if Signals.interrupts.exchange(0, ordering: .relaxed) > 0 { return [.control("c")] }
            if Signals.resizes.exchange(0, ordering: .relaxed) > 0 {
                Signals.drain()
                shown = nil
                try show(prompt)
                continue
            }
            if ready <= 0 {
                let keys = ready == 0 ? decoder.flush() : []
                if keys.isEmpty { continue }
                return keys
            }
            if watched[1].revents != 0 { Signals.drain() }
            guard watched[0].revents != 0 else { continue }
            let bytes: [UInt8]
            do throws(SystemError) { bytes = try Descriptor(input).read(upTo: 1 << 16) } catch {
                if error.code == EAGAIN { continue }
                // EIO: the terminal hung up.
                return nil
            }
            if bytes.isEmpty { return nil }
            let keys = decode(bytes[...])
            if !keys.isEmpty { return keys }
        }
    }

    private func decode(_ bytes: ArraySlice<UInt8>) -> [Key] {
        let earlier = bytes.prefix(earlierByteCount)
        earlierByteCount -= earlier.count
        return decoder.decode(earlier.map { $0 == 0x0A ? 0x0D : $0 }) + decoder.decode(bytes.dropFirst(earlier.count))
    }

    private func show(_ prompt: Prompt) throws(TerminalError) {
        let view = editor.view(prompt: prompt)
        guard view != shown else { return }
        shown = view
        let size = screenSize(output.descriptor)
        try output.write(usesEscapeCodes ? frame.draw(view, size: size) : row.draw(view, size: size))
    }

    private func finish(_ prompt: Prompt) throws(TerminalError) {
        let view = editor.view(prompt: prompt)
        try output.write(
            usesEscapeCodes ? frame.finish(view, size: screenSize(output.descriptor)) : row.finish(view))
    }
}
