import Kernels

extension Transformer {
    /// Multi-head latent attention (DeepSeek-V2 report, section 2.1): the cache keeps RMSNorm(c) and rope(k_pe) alone;
    /// W_kvb is absorbed into the query and the result, or expands keys and values where many tokens share them.
    func attention(
        _ input: Operand, _ weights: AttentionWeights, layer: Int, _ batch: Batch, _ output: Tensor
    ) throws(ModelError) {
        var q: Tensor
        let kv: Tensor
        switch weights.input {
        case .stacked(let weight, let queryRows):
            let both = try linear(input, weight, batch.phase, "q_a and kv_a")
            (q, kv) = (both.columns(0..<queryRows), both.columns(queryRows..<weight.rows))
        case .apart(let query, let kvA):
            (q, kv) = (try linear(input, query, batch.phase, "q_a"), try linear(input, kvA, batch.phase, "kv_a"))
        }
        if let (norm, qB) = weights.query {
            let normed = try self.normed(q, norm, for: [qB], batch.phase, into: tensor("q_a normed", q.shape))
            q = try linear(normed, qB, batch.phase, "q")
        }
        let view = CacheView(
            entries: cacheEntries[layer], pageTable: batch.pageTable, positions: batch.positions,
            sequences: batch.sequences, keyTotal: batch.keyTotal)
        try executor.run(
            KVCacheAppend(
                shape: shape, kv: kv, weight: weights.kvANorm, frequencies: self.weights.frequencies, cache: view,
                epsilon: config.rmsNormEps, ropeFactor: config.ropeAttentionFactor))

        let values: Tensor
        if let expansion = batch.expansion {
            values = try attendExpanded(q, expansion, weights.kvB, layer: layer, batch)
        } else {
            values = try attendAbsorbed(q, view, weights.kvB, batch)
        }
        try linear(
            operand(values, of: weights.output, in: batch.phase), weights.output, batch.phase, into: output)
    }

    /// Attention in absorbed form: W_kvb is applied to the query and to the result, and heads share the latents.
    private func attendAbsorbed(
        _ q: Tensor, _ cache: CacheView, _ kvB: Weight, _ batch: Batch
    ) throws(ModelError) -> Tensor {
        let query = try tensor("query", [q.rows, shape.heads * shape.paddedEntryWidth])
        try executor.run(
            MLAQuery(
                shape: shape, q: q, kvB: kvB, frequencies: weights.frequencies, positions: batch.positions,
                query: query, ropeFactor: config.ropeAttentionFactor))
        // One query against many keys: in splits that run side by side; many queries: each as a whole.
        let splits = batch.phase == .decode ? batch.splits : nil
        let width = splits.map { $0.count * (shape.kvLoraRank + 2) } ?? shape.kvLoraRank
        let latents = try tensor("latents", [q.rows, shape.heads * width])
        try executor.run(
            MLAAbsorbed(
                shape: shape, query: query, cache: cache, splits: splits, y: latents, scale: config.softmaxScale))
        let values = try tensor("values", [q.rows, shape.heads * shape.vHeadDim])
        try executor.run(
            MLAValue(
                shape: shape, latents: latents, splits: splits, kvB: kvB, positions: batch.positions, y: values))
        return values
    }
}
