@testable import Text

/// The input is a tokenizer.json in which `"@bytes":0` is replaced by the 256 single bytes of a vocabulary. If it is
/// accepted, the tokenizer encodes any text without loss, and never produces an added token with `.asText`.
func fuzz(_ input: UnsafeRawBufferPointer) {
    do throws(TextError) {
        let tokenizer = try Tokenizer(json: withByteTokens(input), name: "tokenizer.json")
        try encode(bytes(sentence), tokenizer)
        // The file's text contains the contents of its tokens.
        try encode(Array(input.prefix(256)), tokenizer)
    } catch {
        check(!error.description.isEmpty, "an empty description")
    }
}

private let sentence = "<think>It's 1234 é日本\u{E9} e\u{301} 😀</think> \r\n\t\u{A0}<s>x  "

private let mark = bytes("\"@bytes\":0")

private func withByteTokens(_ input: UnsafeRawBufferPointer) -> [UInt8] {
    var place = 0
    while place + mark.count <= input.count {
        if input[place] == mark[0], input[place..<place + mark.count].elementsEqual(mark) {
            return input[..<place] + bytes(SmallTokenizer.byteTokens) + input[(place + mark.count)...]
        }
        place += 1
    }
    return Array(input)
}

private func encode(_ raw: [UInt8], _ tokenizer: Tokenizer) throws(TextError) {
    // Only splits with `removed` discard text.
    let isWhole = !tokenizer.preTokenizer.splits.contains { $0.behavior == .removed }
    let repaired = UTF8Repair.repaired(raw)
    let text = String(decoding: repaired, as: UTF8.self)
    check(bytes(text) == repaired, "\(text) is not UTF-8")
    let ids = try tokenizer.encode(text, specials: .asText)
    check(!ids.contains { tokenizer.isAdded($0) }, "text became an added token")
    let decoded = try tokenizer.decode(ids, skipSpecials: false)
    check(!isWhole || bytes(decoded) == bytes(text), "\(text) became \(decoded)")

    let parsed = try tokenizer.encode(bytes: raw, specials: .parse)
    let parsedText = try tokenizer.decode(parsed, skipSpecials: false)
    // Added tokens may include white space, which decoding does not restore.
    check(!isWhole || inked(parsedText) == inked(text), "\(text) became \(parsedText)")
    var stream = StreamDecoder(tokenizer, skipSpecials: false)
    var streamed = ""
    for id in parsed { streamed += try stream.feed(id) }
    streamed += stream.flush()
    check(bytes(streamed) == bytes(parsedText), "\(parsedText) was streamed as \(streamed)")
}

private func inked(_ text: String) -> [Unicode.Scalar] { text.unicodeScalars.filter { !$0.properties.isWhitespace } }
