import Kernels
import Numerics

/// The tokens of one step: what the kernels read of positions, sequences and pages.
struct Batch {
    let phase: StepPhase
    let tokens, positions, sequences: Tensor
    let pageTable: Tensor
    /// Of the first token.
    let firstPosition: Int
    /// Keys that the longest sequence attends to.
    let keyCount: Int
    /// Keys that all tokens together attend to.
    let keyTotal: Int
    /// Rows whose logits are wanted.
    let outputRows: [Int]
    /// In which form attention is computed: nil for the absorbed one.
    var expansion: Expansion?
    /// Of those rows, the best next token among so many ids instead of the logits.
    var bestAmong: Int?

    var tokenCount: Int { tokens.rows }
    var splitCount: Int { MLAAbsorbed.splitCount(forKeys: keyCount) }
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
