import GPU
import Kernels
import Numerics

/// The tokens of one step: what the kernels read of positions, sequences and pages.
struct Batch {
    let phase: StepPhase
    /// All that the host gives to the step, of which the next ones are parts.
    let inputs: Tensor
    let tokens, positions, sequences: Tensor
    let pageTable: Tensor
    /// `outputRows` for the device; nil if there are none.
    let outputs: Tensor?
    /// `[outputRows, 6]`, U32: how each row's token is drawn, as `Sample` says.
    let rules: Tensor?
    /// Of the first token.
    let firstPosition: Int
    /// Keys that the longest sequence attends to.
    let keyCount: Int
    /// Keys that all tokens together attend to.
    let keyTotal: Int
    /// Rows whose logits are wanted.
    let outputRows: [Int]
    /// How tokens are chosen from these logits; nil where the logits are wanted themselves.
    let choice: Choice?
    /// Whether `tokens` are those that the step before chose, and no part of the inputs.
    let follows: Bool
    /// How a decode step's keys are split.
    let splits: AttentionSplits
    /// In which form attention is computed: nil for the absorbed one.
    var expansion: Expansion?

    var tokenCount: Int { tokens.rows }

    /// The words of `inputs`, from those of its parts.
    func words(_ parts: [(Tensor, [UInt32])]) -> [UInt32] {
        var words = [UInt32](repeating: 0, count: inputs.rows)
        for (tensor, part) in parts {
            let start = tensor.byteOffset / 4
            precondition(part.count == tensor.rows * tensor.columns, "\(part.count) words for \(tensor.shape)")
            words.replaceSubrange(start..<start + part.count, with: part)
        }
        return words
    }

    var key: StepKey {
        StepKey(
            tokenCount: tokenCount, pageWidth: pageTable.columns, splitCount: splits.count,
            outputCount: outputRows.count,
            choice: choice, follows: follows)
    }
}

/// How a step chooses tokens.
enum Choice: Hashable {
    /// The most probable among so many ids.
    case best(among: Int)
    /// Each row's by a rule of its own.
    case drawn
}

/// What a batch is made of.
struct BatchShape {
    var phase: StepPhase
    var tokenCount, sequenceCount: Int
    var firstPosition = 0
    var keyCount, keyTotal: Int
    var outputRows: [Int]
    var choice: Choice?
    var follows = false
}

extension Transformer {
    /// Lays a batch out in one piece of memory, so that one copy brings all that the host gives to it.
    func layOut(_ shape: BatchShape) throws(ModelError) -> Batch {
        let splits = splits(forKeys: shape.keyCount, isAlone: shape.tokenCount == 1)
        // Wide enough for some keys more, so that a decode step's table keeps its width as long as its splits their number.
        let pageWidth = PagedCache.pageCount(forTokens: AttentionSplits.keyRoom(for: shape.keyCount))
        let counts = [
            shape.tokenCount, shape.tokenCount, shape.tokenCount, shape.sequenceCount * pageWidth,
            shape.outputRows.count, shape.choice == .drawn ? shape.outputRows.count * Sample.ruleWidth : 0,
        ]
        // Each part starts where a kernel's operand may.
        let alignment = Arena.alignment / 4
        let starts = counts.reduce(into: [0]) { $0.append(($0.last! + $1 + alignment - 1) / alignment * alignment) }
        let inputs = try tensor("inputs", [starts.last!], words: true)
        func part(_ index: Int, _ shape: [Int]) -> Tensor {
            Tensor(inputs.storage, .u32, shape, byteOffset: starts[index] * 4)
        }
        return Batch(
            phase: shape.phase, inputs: inputs,
            tokens: shape.follows
                ? Tensor(try chosenTokens(shape.tokenCount).storage, .u32, [shape.tokenCount])
                : part(0, [shape.tokenCount]),
            positions: part(1, [shape.tokenCount]), sequences: part(2, [shape.tokenCount]),
            pageTable: part(3, [shape.sequenceCount, pageWidth]),
            outputs: shape.outputRows.isEmpty ? nil : part(4, [shape.outputRows.count]),
            rules: shape.choice == .drawn ? part(5, [shape.outputRows.count, Sample.ruleWidth]) : nil,
            firstPosition: shape.firstPosition, keyCount: shape.keyCount, keyTotal: shape.keyTotal,
            outputRows: shape.outputRows, choice: shape.choice,
            follows: shape.follows, splits: splits)
    }

    /// The batch, and the words of its inputs.
    ///
    /// - Parameter follows: whether the items' tokens are those that the step before chose: the host does not know them.
    func makeBatch(
        _ runs: [Run], _ phase: StepPhase, _ items: [StepItem], follows: Bool
    ) throws(ModelError) -> (batch: Batch, inputs: [UInt32]) {
        var tokens: [UInt32] = []
        var positions: [UInt32] = []
        var sequences: [UInt32] = []
        var outputRows: [Int] = []
        var expanded: [MLAExpanded.Run] = []
        var keyRows: [UInt32] = []
        for (index, run) in runs.enumerated() {
            let item = items[run.item]
            if run.expands {
                expanded.append(
                    MLAExpanded.Run(
                        firstToken: tokens.count, tokenCount: run.tokens.count, position: run.start,
                        firstKey: keyRows.count))
                let pages = cache.pages(of: item.sequence)
                keyRows += (0..<run.start + run.tokens.count).map { position in
                    let (page, row) = position.quotientAndRemainder(dividingBy: PagedCache.pageTokenCount)
                    return UInt32(pages[page] * PagedCache.pageTokenCount + row)
                }
            }
            for (offset, tokenIndex) in run.tokens.enumerated() {
                let isLast = tokenIndex == item.tokens.count - 1
                if item.output == .all || (item.output != .none && isLast) { outputRows.append(tokens.count) }
                tokens.append(UInt32(item.tokens[tokenIndex]))
                positions.append(UInt32(run.start + offset))
                sequences.append(UInt32(index))
            }
        }
        var batch = try layOut(
            BatchShape(
                phase: phase, tokenCount: tokens.count, sequenceCount: runs.count,
                firstPosition: Int(positions.first ?? 0), keyCount: Int(positions.max() ?? 0) + 1,
                keyTotal: positions.reduce(0) { $0 + Int($1) + 1 }, outputRows: outputRows, choice: choice(items),
                follows: follows))
        if !expanded.isEmpty { batch.expansion = try makeExpansion(expanded, keyRows: keyRows) }
        // A sequence may have pages for more tokens than this step's.
        let width = batch.pageTable.columns
        let pages = runs.flatMap { run in
            let pages = cache.pages(of: items[run.item].sequence).prefix(width)
            return pages.map { UInt32($0) } + Array(repeating: 0, count: width - pages.count)
        }
        var parts = [(batch.positions, positions), (batch.sequences, sequences), (batch.pageTable, pages)]
        if !follows { parts.append((batch.tokens, tokens)) }
        if let outputs = batch.outputs { parts.append((outputs, outputRows.map { UInt32($0) })) }
        if let rules = batch.rules {
            let last = runs.filter { $0.tokens.upperBound == items[$0.item].tokens.count }
            parts.append((rules, last.flatMap { items[$0.item].output.ruleWords }))
        }
        return (batch, batch.words(parts))
    }

    /// How the items' tokens are chosen; nil where they want logits, or nothing.
    private func choice(_ items: [StepItem]) -> Choice? {
        let outputs = items.lazy.map(\.output).filter { $0 != .none }
        guard let first = outputs.first, let among = first.among else { return nil }
        precondition(
            outputs.allSatisfy { $0.among.map { 1...config.vocabSize ~= $0 } ?? false },
            "a step's outputs: \(items.map(\.output))")
        return outputs.allSatisfy { $0 == .best(among: among) } ? .best(among: among) : .drawn
    }

    /// Where a step leaves the tokens that it chooses, and the next one may find them: `[2, rows]`, U32, as `Argmax` says.
    func chosenTokens(_ count: Int) throws(ModelError) -> Tensor {
        try tensor("chosen tokens", [2, count], words: true)
    }
}

extension StepItem.Output {
    /// How many ids a token is chosen from; nil where none is.
    fileprivate var among: Int? {
        switch self {
        case .best(let count), .drawn(let count, _): count
        case .none, .last, .all: nil
        }
    }

    /// As `Sample` takes it.
    fileprivate var ruleWords: [UInt32] {
        switch self {
        case .best(let count): Sample.words(.best, among: count)
        case .drawn(let count, let rule): Sample.words(rule, among: count)
        case .none: []
        case .last, .all: preconditionFailure("\(self) chooses no token")
        }
    }
}

/// Memory for a step's intermediate values, by name; kept and reused, grown where a step needs more.
struct Scratch {
    private var storages: [String: Storage] = [:]

    /// A tensor of `[rows, columns]`, rows padded to four elements (F32) or dense (U32).
    mutating func tensor(
        _ name: String, _ shape: [Int], words: Bool = false, on executor: Executor
    ) throws(ModelError) -> Tensor {
        let columns = shape.dropFirst().reduce(1, *)
        let pitch = words ? columns : Tensor.activationPitch(columns)
        let byteCount = shape[0] * pitch * 4
        if let known = storages[name], known.byteCount >= byteCount {
            return Tensor(known, words ? .u32 : .f32, shape, pitch: pitch)
        }
        if let limit = executor.device?.profile.maxStorageBufferRange, byteCount > limit {
            throw .tooLargeToBind(
                tensor: "\(name), \(shape)", byteCount: byteCount, limit: limit,
                device: executor.device!.profile.name)
        }
        let storage = try executor.makeStorage(name, byteCount: byteCount)
        storages[name] = storage
        return Tensor(storage, words ? .u32 : .f32, shape, pitch: pitch)
    }
}
