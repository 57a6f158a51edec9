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

    var tokenCount: Int { tokens.rows }
    var splitCount: Int { MLADecode.splitCount(forKeys: keyCount) }

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
            tokenCount: tokenCount, pageWidth: pageTable.columns, splitCount: splitCount, outputCount: outputRows.count,
            choice: choice)
    }
}

/// How a step chooses tokens.
enum Choice: Hashable {
    /// The most probable among so many ids.
    case best(among: Int)
}

/// What a batch is made of.
struct BatchShape {
    var phase: StepPhase
    var tokenCount, sequenceCount: Int
    var firstPosition = 0
    var keyCount, keyTotal: Int
    var outputRows: [Int]
    var choice: Choice?
}

extension Transformer {
    /// Lays a batch out in one piece of memory, so that one copy brings all that the host gives to it.
    func layOut(_ shape: BatchShape) throws(ModelError) -> Batch {
        // As wide as its splits' keys ask for, so that a decode step's table keeps its width as long as they do.
        let pageWidth =
            MLADecode.splitCount(forKeys: shape.keyCount) * PagedCache.pageCount(forTokens: MLADecode.splitKeyCount)
        let counts = [
            shape.tokenCount, shape.tokenCount, shape.tokenCount, shape.sequenceCount * pageWidth,
            shape.outputRows.count,
        ]
        // Each part starts where a kernel's operand may.
        let alignment = Arena.alignment / 4
        let starts = counts.reduce(into: [0]) { $0.append(($0.last! + $1 + alignment - 1) / alignment * alignment) }
        let inputs = try tensor("inputs", [starts.last!], words: true)
        func part(_ index: Int, _ shape: [Int]) -> Tensor {
            Tensor(inputs.storage, .u32, shape, byteOffset: starts[index] * 4)
        }
        return Batch(
            phase: shape.phase, inputs: inputs, tokens: part(0, [shape.tokenCount]),
            positions: part(1, [shape.tokenCount]), sequences: part(2, [shape.tokenCount]),
            pageTable: part(3, [shape.sequenceCount, pageWidth]),
            outputs: shape.outputRows.isEmpty ? nil : part(4, [shape.outputRows.count]),
            firstPosition: shape.firstPosition, keyCount: shape.keyCount, keyTotal: shape.keyTotal,
            outputRows: shape.outputRows, choice: shape.choice)
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
            throw .failed(
                "\(name), \(shape): expected at most \(byteText(limit)), what \(executor.device!.profile.name) binds at once, "
                    + "found \(byteText(byteCount)): ask for fewer tokens a step")
        }
        let storage = try executor.makeStorage(name, byteCount: byteCount)
        storages[name] = storage
        return Tensor(storage, words ? .u32 : .f32, shape, pitch: pitch)
    }
}
