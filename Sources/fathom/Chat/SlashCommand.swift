import Terminal

/// A command of the chat: a line that begins with `/`.
enum SlashCommand: String, CaseIterable {
    case help, clear, system, save, load, regen, stats, exit

    var name: String { "/" + rawValue }

    /// The argument, as the help shows it.
    var argument: String {
        switch self {
        case .system: " [TEXT]"
        case .save: " [FILE]"
        case .load: " FILE"
        case .help, .clear, .regen, .stats, .exit: ""
        }
    }

    var explanation: String {
        switch self {
        case .help: "this list"
        case .clear: "forgets the conversation; the system message stays"
        case .system: "shows or sets what the model is told first; off: nothing"
        case .save: "saves the conversation as JSON; no FILE: where it was before"
        case .load: "goes on with a saved conversation"
        case .regen: "answers the last message again"
        case .stats: "speed of the last answer, and how full the context is"
        case .exit: "leaves, as Ctrl-D does"
        }
    }

    /// A message is a command, a text for the model, or a command that does not exist.
    enum Reading: Equatable {
        case message(String)
        case command(SlashCommand, argument: String)
        case unknown(String, suggestion: SlashCommand?)
    }

    /// `//` at the start stands for one `/` of a message.
    static func read(_ line: String) -> Reading {
        if line.utf8.starts(with: "//".utf8) { return .message(String(line.dropFirst())) }
        guard line.utf8.starts(with: "/".utf8) else { return .message(line) }
        let word = line.prefix { !$0.isWhitespace }
        let name = word.dropFirst().lowercased()
        guard let command = SlashCommand(rawValue: name == "quit" ? "exit" : name) else {
            return .unknown(String(word), suggestion: nearest(to: name))
        }
        return .command(command, argument: String(line.dropFirst(word.count)).trimmed)
    }

    /// The help as lines.
    static var helpLines: [String] {
        let widest = allCases.map { ($0.name + $0.argument).count }.max() ?? 0
        let commands = allCases.map { command in
            let usage = command.name + command.argument
            return usage + String(repeating: " ", count: widest - usage.count + 2) + command.explanation
        }
        return commands + [
            "Enter sends. Alt-Enter, Ctrl-J or a \\ at the end begin a new line.",
            "Ctrl-C stops an answer and keeps it. Up and Ctrl-R find earlier messages.",
            "// sends a line that begins with /.",
        ]
    }

    /// Completions of a line up to the cursor: commands, and files after the commands that take a file.
    static func complete(_ text: String) -> Completion? {
        for command in [SlashCommand.save, .load] where text.hasPrefix(command.name + " ") {
            return .paths(String(text.dropFirst(command.name.count + 1)))
        }
        guard text.hasPrefix("/"), !text.contains(where: \.isWhitespace) else { return nil }
        let matching = allCases.filter { $0.name.hasPrefix(text) }
        return Completion(
            replacedCount: text.count,
            candidates: matching.map { .init(text: $0.name + ($0.argument.isEmpty ? "" : " "), label: $0.name) })
    }

    /// The command that was probably meant.
    private static func nearest(to name: String) -> SlashCommand? {
        if !name.isEmpty, let begun = allCases.first(where: { $0.rawValue.hasPrefix(name) }) { return begun }
        let ranked = allCases.map { ($0, editDistance(name, $0.rawValue)) }.min { $0.1 < $1.1 }
        return ranked.flatMap { $0.1 <= 2 ? $0.0 : nil }
    }
}

/// How many letters have to be added, removed or replaced to get from one word to the other (Levenshtein).
func editDistance(_ first: String, _ second: String) -> Int {
    let target = Array(second)
    var row = Array(0...target.count)
    for (index, letter) in first.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for column in target.indices {
            let cost = min(diagonal + (target[column] == letter ? 0 : 1), row[column] + 1, row[column + 1] + 1)
            diagonal = row[column + 1]
            row[column + 1] = cost
        }
    }
    return row[target.count]
}
