import Kernels

extension Transformer {
    /// Multi-head latent attention (DeepSeek-V2 report, section 2.1): the cache keeps RMSNorm(c) and rope(k_pe) alone;
    /// W_kvb is absorbed into the query and the result, or expands keys and values where many tokens share them.
    func attention(
        _ x: Tensor, _ weights: AttentionWeights, layer: Int, _ batch: Batch, _ output: Tensor
    ) throws(ModelError) {
        let x = try operand(x, of: weights.query.first, weights.kvA, in: batch.phase)
        let q: Tensor
        switch weights.query {
        case .direct(let weight):
            q = try linear(x, weight, batch.phase, "q")
        case .compressed(let qA, let qNorm, let qB):
            let compressed = try linear(x, qA, batch.phase, "q_a")
            let normed = try tensor("q_a normed", compressed.shape)
            try norm(compressed, adding: nil, qNorm, normed)
            q = try linear(operand(normed, of: qB, in: batch.phase), qB, batch.phase, "q")
        }
        let kv = try linear(x, weights.kvA, batch.phase, "kv_a")
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
        let query = try tensor("query", [q.rows, shape.heads * shape.entryWidth])
        try executor.run(
            MLAQuery(
                shape: shape, q: q, kvB: kvB, frequencies: weights.frequencies, positions: batch.positions,
                query: query, ropeFactor: config.ropeAttentionFactor))
        // One query against many keys: in splits that run side by side; many queries: each as a whole.
        let splits = batch.phase == .decode ? batch.splitCount : nil
        let width = splits.map { $0 * (shape.kvLoraRank + 2) } ?? shape.kvLoraRank
        let latents = try tensor("latents", [q.rows, shape.heads * width])
        try executor.run(
            MLAAbsorbed(
                shape: shape, query: query, cache: cache, splitCount: splits, y: latents, scale: config.softmaxScale))
        let values = try tensor("values", [q.rows, shape.heads * shape.vHeadDim])
        try executor.run(
            MLAValue(
                shape: shape, latents: latents, splitCount: splits, kvB: kvB, positions: batch.positions, y: values))
        return values
    }
}
