import Kernels
import Numerics

/// What attention in expanded form needs of a batch: where its keys are in the cache, and which tokens see which.
struct Expansion {
    /// `[keys], U32`: the cache's rows of each sequence's entries, in order.
    let keyRows: Tensor
    /// `[n, 4], U32`: see `MLAExpanded.tiles`.
    let tiles: Tensor
    /// Scores of one head.
    let scoreCount: Int
}

/// When attention over expanded keys and values is cheaper than over the latents, and in which slices of heads it goes.
public struct ExpansionRule {
    /// Most bytes of the expanded keys and values of one slice.
    static let sliceByteCount = 64 << 20
    let shape: MLAShape
    public init(shape: MLAShape) { self.shape = shape }

    /// Heads that are expanded at once for so many keys; nil if not even the fewest fit.
    public func slice(keyCount: Int) -> Int? {
        let width = shape.qkNopeHeadDim + shape.vHeadDim
        let most = min(shape.heads, Self.sliceByteCount / (4 * width * keyCount))
        // A slice begins at a whole number of 16 weight rows.
        return most == shape.heads ? most : (0..<most).map { $0 + 1 }.last { $0 * width % 16 == 0 }
    }

    /// Whether `count` tokens after `start` others of a sequence are to be computed in expanded form: it saves products on
    /// every score, and every key must be expanded once (a query and a latent result cost the other form as much).
    func expands(start: Int, count: Int) -> Bool {
        let keys = start + count
        guard MLAExpanded.takes(shape), shape.entryWidth % 8 == 0, slice(keyCount: keys) != nil else { return false }
        let scores = count * start + count * (count + 1) / 2
        let once = shape.kvLoraRank * (shape.qkNopeHeadDim + shape.vHeadDim)
        let expanded = keys * once + scores * (shape.qkNopeHeadDim + shape.qkRopeHeadDim + shape.vHeadDim)
        return expanded < count * once + scores * (2 * shape.kvLoraRank + shape.qkRopeHeadDim)
    }

    /// The last start, up to a limit, at which so many tokens are expanded: those before are, those after are not.
    func lastStart(upTo limit: Int, count: Int) -> Int? {
        guard expands(start: 0, count: count) else { return nil }
        var (last, never) = (0, limit + 1)
        while never - last > 1 {
            let middle = last + (never - last) / 2
            if expands(start: middle, count: count) { last = middle } else { never = middle }
        }
        return last
    }
}

extension Transformer {
    var expansionRule: ExpansionRule { ExpansionRule(shape: shape) }

    /// - Parameter rows: each sequence's cache rows.
    func makeExpansion(_ runs: [MLAExpanded.Run], keyRows rows: [UInt32]) throws(ModelError) -> Expansion {
        let words = MLAExpanded.tiles(of: runs, by: MLAExpanded.tileTokenCount(shape, on: executor.target))
        let expansion = Expansion(
            keyRows: try tensor("key rows", [rows.count], words: true),
            tiles: try tensor("attention tiles", [words.count / 4, 4], words: true),
            scoreCount: runs.reduce(0) { $0 + $1.tokenCount * $1.position + $1.tokenCount * ($1.tokenCount + 1) / 2 })
        try executor.set(expansion.keyRows, to: rows)
        try executor.set(expansion.tiles, to: words)
        return expansion
    }

    /// Attention of the batch's tokens in expanded form: values `[T, heads · v]`.
    func attendExpanded(
        _ q: Tensor, _ expansion: Expansion, _ kvB: Weight, layer: Int, _ batch: Batch
    ) throws(ModelError) -> Tensor {
        try executor.run(
            MLARope(
                shape: shape, q: q, frequencies: weights.frequencies, positions: batch.positions,
                ropeFactor: config.ropeAttentionFactor))
        let keyCount = expansion.keyRows.rows
        let entries = try tensor("key entries", [keyCount, shape.entryWidth])
        try executor.run(
            Gather(
                indices: expansion.keyRows, table: Weight(codes: cacheEntries[layer], scales: nil), y: entries))
        let latents = Tensor(entries.storage, .f32, [keyCount, shape.kvLoraRank], pitch: entries.pitch)
        let values = try tensor("values", [q.rows, shape.heads * shape.vHeadDim])
        let width = shape.qkNopeHeadDim + shape.vHeadDim
        guard let slice = expansionRule.slice(keyCount: keyCount) else {
            preconditionFailure("\(keyCount) keys were to be expanded")
        }
        // Fewer heads at a time for more keys: the same memory for all of these.
        if slice < shape.heads { _ = try tensor("expanded keys", [1, ExpansionRule.sliceByteCount / 4]) }
        for first in stride(from: 0, to: shape.heads, by: slice) {
            let heads = first..<min(first + slice, shape.heads)
            let kv = try tensor("expanded keys", [keyCount, heads.count * width])
            try linear(
                Operand(x: latents), kvB, rows: heads.lowerBound * width..<heads.upperBound * width, .prefill, into: kv)
            try executor.run(
                MLAExpanded(
                    shape: shape, heads: heads, q: q, kv: kv, entries: entries, tiles: expansion.tiles, y: values,
                    scale: config.softmaxScale, scoreCount: expansion.scoreCount))
        }
        return values
    }
}
