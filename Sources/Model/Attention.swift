import Kernels
import Program

extension Transformer {
    /// Multi-head latent attention (DeepSeek-V2 report, section 2.1): the cache keeps RMSNorm(c) and rope(k_pe) alone;
    /// W_kvb is absorbed into the query and the result, or expands keys and values where many tokens share them.
    ///
    /// - Returns: the output projection of the values, `[rows, hidden]`.
    func attention(
        _ input: ProductInput, _ weights: AttentionWeights, layer: Int, _ rows: Rows, _ p: inout ProgramBuilder
    ) -> Tensor {
        var q: Tensor
        let kv: Tensor
        switch weights.input {
        case .stacked(let weight, let queryRows):
            let both = linear(input, weight, rows.phase, "q_a and kv_a", &p)
            (q, kv) = (both.columns(0..<queryRows), both.columns(queryRows..<weight.rows))
        case .apart(let query, let kvA):
            q = linear(input, query, rows.phase, "q_a", &p)
            kv = linear(input, kvA, rows.phase, "kv_a", &p)
        }
        if let (norm, qB) = weights.query {
            q = linear(normed(q, norm, for: [qB], rows.phase, &p), qB, rows.phase, "q", &p)
        }
        let view = CacheView(
            entries: cache[layer], pageTable: rows.pageTable, positions: rows.positions, sequences: rows.sequences)
        p.run(
            KVCacheAppend(
                shape: mla, kv: kv, weight: weights.kvANorm, frequencies: self.weights.frequencies, cache: view,
                epsilon: config.rmsNormEps, ropeFactor: config.ropeAttentionFactor))

        let values =
            switch rows.group.attention {
            case .splits(let splits): attendAbsorbed(q, view, splits, weights.kvB, rows, &p)
            case .absorbed: attendAbsorbed(q, view, nil, weights.kvB, rows, &p)
            case .expanded: attendExpanded(q, weights.kvB, layer: layer, rows, &p)
            }
        let output = p.floats("attention", [rows.count, config.hiddenSize])
        linear(self.input(values, of: [weights.output], rows.phase, &p), weights.output, rows.phase, into: output, &p)
        return output
    }

    /// Attention in absorbed form: W_kvb is applied to the query and to the result, and heads share the latents.
    ///
    /// - Parameter splits: of each row's keys; nil computes each row as a whole.
    private func attendAbsorbed(
        _ q: Tensor, _ cache: CacheView, _ splits: AttentionSplits?, _ kvB: Weight, _ rows: Rows,
        _ p: inout ProgramBuilder
    ) -> Tensor {
        let query = p.floats("query", [q.rows, mla.heads * mla.paddedEntryWidth])
        p.run(
            MLAQuery(
                shape: mla, q: q, kvB: kvB, frequencies: weights.frequencies, positions: rows.positions,
                query: query, ropeFactor: config.ropeAttentionFactor))
        let width = splits.map { $0.count * (mla.kvLoraRank + 2) } ?? mla.kvLoraRank
        let latents = p.floats("latents", [q.rows, mla.heads * width])
        p.run(
            MLAAbsorbed(shape: mla, query: query, cache: cache, splits: splits, y: latents, scale: config.softmaxScale))
        let values = p.floats("values", [q.rows, mla.heads * mla.vHeadDim])
        p.run(
            MLAValue(shape: mla, latents: latents, splits: splits, kvB: kvB, positions: rows.positions, y: values))
        return values
    }

    /// Attention in expanded form, over some heads at a time: values `[rows, heads · v]`.
    private func attendExpanded(
        _ q: Tensor, _ kvB: Weight, layer: Int, _ rows: Rows, _ p: inout ProgramBuilder
    ) -> Tensor {
        guard let keyRows = rows.keyRows, let tiles = rows.tiles,
            let slice = ExpansionRule(shape: mla).slice(keyCount: keyRows.rows)
        else { preconditionFailure("expanded attention of \(rows.group)") }
        p.run(
            MLARope(
                shape: mla, q: q, frequencies: weights.frequencies, positions: rows.positions,
                ropeFactor: config.ropeAttentionFactor))
        let entries = p.floats("key entries", [keyRows.rows, mla.entryWidth])
        p.run(Gather(indices: keyRows, table: Weight(codes: cache[layer], scales: nil), y: entries))
        let latents = Tensor(entries.storage, .f32, [keyRows.rows, mla.kvLoraRank], pitch: entries.pitch)
        let values = p.floats("values", [q.rows, mla.heads * mla.vHeadDim])
        let width = mla.qkNopeHeadDim + mla.vHeadDim
        for first in stride(from: 0, to: mla.heads, by: slice) {
            let heads = first..<min(first + slice, mla.heads)
            // Fewer heads at a time for more keys: the same memory for all of these.
            let kv = p.floats(
                "expanded keys", [keyRows.rows, heads.count * width],
                atLeast: slice < mla.heads ? ExpansionRule.sliceByteCount : 0)
            linear(
                ProductInput(x: latents), kvB, rows: heads.lowerBound * width..<heads.upperBound * width, .prefill,
                into: kv, &p)
            p.run(
                MLAExpanded(
                    shape: mla, heads: heads, q: q, kv: kv, entries: entries, tiles: tiles, y: values,
                    scale: config.softmaxScale))
        }
        return values
    }
}
