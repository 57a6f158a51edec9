import ArgumentParser
import JSON
import Terminal
import Text

/// Text to token ids and back.
struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize",
        abstract: "Turns text into token ids, or ids into text.",
        discussion: """
            Without TEXT it reads standard input: all of it as one text, or with --jsonl an object a line. \
            What spells a special token becomes that token, as in other tokenizers, unless --as-text is given.

            With DIR a folder that has DeepSeek-V3's tokenizer:

              fathom tokenize --model DIR "Hello, world!"
              19923,14,2058,3
              fathom tokenize --model DIR --decode 19923,14
              Hello,
              fathom tokenize --model DIR --jsonl <<< '{"text": "Hello"}'
              {"ids":[19923]}
              fathom tokenize --model DIR --jsonl --decode <<< '{"ids": [19923]}'
              {"text":"Hello"}
            """)

    @Option(
        help: ArgumentHelp("Folder with tokenizer.json. Without it, the built-in model's tokenizer.", valueName: "dir"))
    var model: String?

    @Flag(help: "Read and write a JSON object a line.")
    var jsonl = false

    @Flag(help: "Turn ids into text.")
    var decode = false

    @Flag(help: "Treat the spelling of special tokens as plain text.")
    var asText = false

    @Flag(help: "Leave special tokens out of decoded text.")
    var skipSpecials = false

    @Argument(help: ArgumentHelp("The text, or with --decode the ids, as in 1,2,3.", valueName: "text"))
    var input: String?

    mutating func validate() throws {
        try ModelSource.validate(folder: model)
        if jsonl, input != nil {
            throw ValidationError("--jsonl reads standard input: expected no text beside it, found \"\(input!)\"")
        }
        if decode, asText { throw ValidationError("--as-text is about encoding: expected it without --decode") }
        if skipSpecials, !decode {
            throw ValidationError("--skip-specials is about decoding: expected it with --decode")
        }
        if decode, let input { _ = try TokenList.parse(input) }
    }

    func run() throws {
        let tokenizer = try ModelSource(folder: model).requiredText().tokenizer
        if jsonl {
            try convertLines(tokenizer)
        } else if decode {
            let decoded = try tokenizer.decode(try ids(), skipSpecials: skipSpecials)
            try Output.standard.write(shown(decoded) + "\n")
        } else {
            let bytes = try input.map { Array($0.utf8) } ?? Input.standard()
            let ids = try tokenizer.encode(bytes: bytes, specials: asText ? .asText : .parse)
            try Output.standard.write(TokenList.text(ids) + "\n")
        }
    }

    private func ids() throws -> [Int32] {
        if let input { return try TokenList.parse(input) }
        let text = try Input.text(Input.standard(), name: "standard input")
        do { return try TokenList.parse(text) } catch { throw CommandError("standard input: \(error)") }
    }

    private func convertLines(_ tokenizer: Tokenizer) throws {
        var lines = LineReader(descriptor: 0, name: "standard input")
        var output = ""
        while let line = try lines.next() {
            do {
                output += try convert(line, tokenizer) + "\n"
            } catch {
                // Results of earlier lines are printed even if a later line is wrong.
                try Output.standard.write(output)
                throw CommandError("standard input, line \(lines.number): \(inLine(error))")
            }
            if output.utf8.count >= 1 << 16 {
                try Output.standard.write(output)
                output = ""
            }
        }
        try Output.standard.write(output)
    }

    private func convert(_ line: [UInt8], _ tokenizer: Tokenizer) throws -> String {
        if decode {
            let ids = try member("ids", of: line) { (reader) throws(JSONError) in
                var ids: [Int32] = []
                try reader.beginArray()
                while try reader.nextElement() {
                    // No id exceeds 32 bits; the decoder reports it.
                    ids.append(Int32(clamping: try reader.readInt()))
                }
                return ids
            }
            return JSONValue.object([
                JSONMember("text", JSONValue(try tokenizer.decode(ids, skipSpecials: skipSpecials)))
            ])
            .serialized()
        }
        // As bytes: the tokenizer decides about lone surrogates, which a Swift string cannot hold.
        let text = try member("text", of: line) { (reader) throws(JSONError) in
            Array(try reader.readStringBytes())
        }
        let ids = try tokenizer.encode(bytes: text, specials: asText ? .asText : .parse)
        return "{\"ids\":[\(TokenList.text(ids))]}"
    }

    /// The value of `key`, which the line's object must have once; other keys are passed over.
    private func member<Value>(
        _ key: String, of line: [UInt8], _ read: (inout JSONReader) throws(JSONError) -> Value
    ) throws -> Value {
        var value: Value?
        try JSONReader.read(line) { (reader) throws(JSONError) in
            try reader.beginObject()
            while let found = try reader.nextKey() {
                if found == key {
                    guard value == nil else {
                        throw JSONError(name: "", location: .path(key), expected: "one value", found: "the key twice")
                    }
                    value = try read(&reader)
                } else {
                    try reader.skipValue()
                }
            }
        }
        guard let value else { throw CommandError("expected an object with the key \"\(key)\", found none") }
        return value
    }

    /// A JSON error's place within its line.
    private func inLine(_ error: any Error) -> String {
        guard let error = error as? JSONError, case .position(_, _, let column) = error.location else {
            return "\(error)"
        }
        return "column \(column): expected \(error.expected), found \(error.found)"
    }
}
