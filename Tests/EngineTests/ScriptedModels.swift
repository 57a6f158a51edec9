import Cache
import Engine
import Model
import Numerics
import Text

/// A model whose logits are a hash of the sequence's whole history: a token lost, doubled or left over in the cache changes
/// everything that follows. It keeps its cache in pages, as the real one does.
final class HistoryModel: LanguageModel {
    struct Step: Equatable {
        var phase: StepPhase
        var tokenCounts: [Int]
    }

    let vocabularySize: Int
    let contextLength: Int
    let pageCount: Int
    private(set) var steps: [Step] = []
    private(set) var sequences: [SequenceID: [Int32]] = [:]
    private var nextID = 0
    /// Thrown once by the step with this number: when it is submitted, or when it is collected.
    var failure: (step: Int, error: ModelError, atCollect: Bool)?
    /// Whether steps may be submitted before the tokens of the last one are known.
    var runsAhead = true
    /// Steps whose tokens another step chose.
    private(set) var followingCount = 0
    private var results: [Ticket: (results: [StepResult], before: [SequenceID: Int], error: ModelError?)] = [:]
    private var lastChoice: (ticket: Ticket, tokens: [Int32])?
    /// The next tokens whatever the history, then the hash again.
    var script: [Int32: Int32] = [:]

    init(vocabularySize: Int = 50, contextLength: Int = 1000, pageCount: Int = 100) {
        self.vocabularySize = vocabularySize
        self.contextLength = contextLength
        self.pageCount = pageCount
    }

    static let pageSize = 64
    private static func pages(_ count: Int) -> Int { (count + pageSize - 1) / pageSize }
    var freeTokenCount: Int { (pageCount - sequences.values.reduce(0) { $0 + Self.pages($1.count) }) * Self.pageSize }

    func makeSequence() throws(ModelError) -> SequenceID {
        nextID += 1
        sequences[SequenceID(nextID)] = []
        return SequenceID(nextID)
    }

    func truncate(_ sequence: SequenceID, to tokenCount: Int) {
        precondition(tokenCount <= sequences[sequence]!.count)
        sequences[sequence]!.removeLast(sequences[sequence]!.count - tokenCount)
    }

    func release(_ sequence: SequenceID) { precondition(sequences.removeValue(forKey: sequence) != nil) }
    func tokenCount(of sequence: SequenceID) -> Int { sequences[sequence]!.count }

    /// Steps in flight that nobody has collected or discarded.
    var pendingCount: Int { results.count }

    func submit(_ items: [StepItem]) throws(ModelError) -> Ticket {
        precondition(Set(items.map(\.sequence)).count == items.count, "a sequence twice in a step")
        let phase = items[0].phase
        precondition(items.allSatisfy { $0.phase == phase && (phase == .prefill || $0.tokens.count == 1) })
        if let failure, failure.step == steps.count, !failure.atCollect {
            self.failure = nil
            throw failure.error
        }
        let tokens = items.map { item in item.tokens.map(known) }
        var after = sequences
        for (item, tokens) in zip(items, tokens) { after[item.sequence]! += tokens }
        for item in items where after[item.sequence]!.count > contextLength {
            throw .contextExceeded(needed: after[item.sequence]!.count, limit: contextLength)
        }
        guard after.values.reduce(0, { $0 + Self.pages($1.count) }) <= pageCount else {
            throw .cacheFull(neededTokens: items.reduce(0) { $0 + $1.tokens.count }, freeTokens: freeTokenCount)
        }
        if items.contains(where: { if case .chosen = $0.tokens[0] { true } else { false } }) { followingCount += 1 }
        let ticket = Ticket(steps.count)
        var error: ModelError?
        if let failure, failure.step == steps.count {
            self.failure = nil
            error = failure.error
        }
        let found = items.map { result(of: $0, after[$0.sequence]!) }
        let before = Dictionary(uniqueKeysWithValues: items.map { ($0.sequence, sequences[$0.sequence]!.count) })
        results[ticket] = (found, before, error)
        let chosen = found.flatMap(\.tokens)
        if !chosen.isEmpty { lastChoice = (ticket, chosen) }
        sequences = after
        steps.append(Step(phase: phase, tokenCounts: items.map(\.tokens.count)))
        return ticket
    }

    func collect(_ ticket: Ticket) throws(ModelError) -> [StepResult] {
        let step = results.removeValue(forKey: ticket)!
        guard let error = step.error else { return step.results }
        for (sequence, count) in step.before where sequences[sequence] != nil { truncate(sequence, to: count) }
        throw error
    }

    func canFollow(_ ticket: Ticket) -> Bool { runsAhead && lastChoice?.ticket == ticket }
    func discard(_ ticket: Ticket) { precondition(results.removeValue(forKey: ticket) != nil) }

    private func known(_ token: StepItem.Token) -> Int32 {
        switch token {
        case .given(let token): return token
        case .chosen(let ticket, let row):
            precondition(ticket == lastChoice?.ticket, "a token of step \(ticket.value)")
            return lastChoice!.tokens[row]
        }
    }

    private func result(of item: StepItem, _ history: [Int32]) -> StepResult {
        let count = item.resultCount
        guard count > 0 else { return StepResult() }
        let rows = (history.count - count + 1...history.count).map { logits(after: Array(history.prefix($0))) }
        switch item.kind {
        case .logits: return StepResult(logits: rows.flatMap { $0 })
        case .best(let among):
            return StepResult(
                tokens: rows.map { row in
                    let candidates = row.prefix(among)
                    return Int32(candidates.indices.first { candidates[$0] == candidates.max() }!)
                })
        case .drawn(let among, let rules):
            return StepResult(tokens: zip(rows, rules).map { $1.token(from: Array($0.prefix(among))) })
        }
    }

    /// One row: 0 to 8, spread by a hash of history and id.
    func logits(after history: [Int32]) -> [Float] {
        if let scripted = script[history.last!] { return (0..<vocabularySize).map { $0 == Int(scripted) ? 20 : 0 } }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for token in history { hash = (hash ^ UInt64(UInt32(bitPattern: token))) &* 0x100_0000_01B3 }
        return (0..<vocabularySize).map { id in
            var z = (hash ^ UInt64(id) &* 0x9E37_79B9_7F4A_7C15) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 29)) &* 0x94D0_49BB_1331_11EB
            return Float(z >> 40) / Float(1 << 21)
        }
    }
}

/// Each token is its own piece of text.
struct PieceText: TokenText {
    var pieces: [Int32: String] = [:]
    let knownTokenCount = Int.max
    mutating func append(_ token: Int32) -> String { pieces[token] ?? "<\(token)>" }
    mutating func finish() -> String { "" }
}

/// What generation is by definition: the whole history into the model for every token, and nothing kept.
func textbookAnswer(_ model: HistoryModel, _ prompt: [Int32], _ options: GenerationOptions) -> [Int32] {
    var sampler = Sampler(options.sampling)
    sampler.observe(prompt)
    var answer: [Int32] = []
    while prompt.count + answer.count < model.contextLength, answer.count < options.maxNewTokens ?? .max {
        let token = sampler.sample(model.logits(after: prompt + answer))
        if options.stopTokens.contains(token) { break }
        answer.append(token)
    }
    return answer
}

/// A tokenizer whose 256 tokens are the bytes.
func byteTokenizer() throws -> Tokenizer {
    var alphabet: [Int: Int] = [:]
    var extra = 256
    for byte in 0..<256 {
        let isItself = (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
        alphabet[byte] = isItself ? byte : extra
        if !isItself { extra += 1 }
    }
    let vocabulary = (0..<256).map { byte in
        let character = Character(Unicode.Scalar(UInt32(alphabet[byte]!))!)
        return (character == "\"" || character == "\\" ? "\"\\\(character)\"" : "\"\(character)\"") + ":\(byte)"
    }
    let json = """
        {"version":"1.0","added_tokens":[],"normalizer":null,
         "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false},
         "post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
         "model":{"type":"BPE","dropout":null,"unk_token":null,"fuse_unk":false,"byte_fallback":false,
         "vocab":{\(vocabulary.joined(separator: ","))},"merges":[]}}
        """
    return try Tokenizer(json: Array(json.utf8), name: "bytes.json")
}

extension Session {
    /// An answer whose events nobody follows.
    func generate(
        _ prompt: [Int32], options: GenerationOptions, text: some TokenText, isInterrupted: () -> Bool = { false }
    ) throws -> Completion {
        try generate(prompt, options: options, text: text, isInterrupted: isInterrupted) { _ in }
    }
}
