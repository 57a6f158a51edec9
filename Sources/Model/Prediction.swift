import Kernels

extension Transformer {
    /// Logits of the token after next, by the multi-token prediction module:
    /// h' = block(eh_proj · [enorm(embed(t_{i+1})); hnorm(h_i)]), logits = head · shared_head.norm(h').
    ///
    /// - Parameters:
    ///   - hidden: h, the model's output after its final norm, `[T, hidden]`, F32.
    ///   - next: for each of the batch's tokens the one that follows it, `[T]`, U32.
    /// - Returns: `[T, V]`, F32. The module's own cache layer holds what it attends to, at the batch's positions.
    ///
    /// Source: DeepSeek-V3 report, equations 21 to 23.
    func predict(_ weights: PredictionWeights, hidden: Tensor, next: Tensor, _ batch: Batch) throws(ModelError)
        -> Tensor
    {
        executor.enter("the multi-token prediction", "prediction")
        let width = config.hiddenSize
        let rows = [batch.tokenCount, width]
        let embedded = try tensor("mtp embedded", rows)
        try executor.run(Gather(indices: next, table: self.weights.embedding, y: embedded))
        let joined = try tensor("mtp joined", [batch.tokenCount, 2 * width])
        try executor.run(
            RMSNorm(x: embedded, weight: weights.embeddingNorm, y: joined, epsilon: config.rmsNormEps))
        try executor.run(
            RMSNorm(x: hidden, weight: weights.hiddenNorm, y: joined, column: width, epsilon: config.rmsNormEps))

        let x = try linear(joined, weights.projection, batch.phase, "mtp x")
        let normed = try tensor("mtp normed", rows)
        let input = try self.normed(
            x, weights.layer.inputNorm, for: weights.layer.attention.input.weights, batch.phase, into: normed)
        let delta = try block(weights.layer, config.numHiddenLayers, batch, x: x, input: input, normed: normed)
        try norm(x, adding: delta, weights.finalNorm, normed)
        return try linear(normed, self.weights.head, batch.phase, "mtp logits")
    }
}
