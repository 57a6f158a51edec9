import Kernels
import Program

extension Transformer {
    /// Logits of the token after next, by the multi-token prediction module:
    /// h' = block(eh_proj · [enorm(embed(t_{i+1})); hnorm(h_i)]), logits = head · shared_head.norm(h').
    ///
    /// - Parameters:
    ///   - hidden: h, the model's output after its final norm, `[rows, hidden]`, F32.
    ///   - next: for each row the token that follows it, `[rows]`, U32.
    /// - Returns: `[rows, vocabulary]`, F32. The module's own cache layer holds its keys, at the rows' positions.
    ///
    /// Source: DeepSeek-V3 report, equations 21 to 23.
    func predict(
        _ module: PredictionWeights, hidden: Tensor, next: Tensor, _ rows: Rows, _ p: inout ProgramBuilder
    ) -> Tensor {
        p.place = .init(.prediction, .prediction)
        let width = config.hiddenSize
        let embedded = p.floats("mtp embedded", [rows.count, width])
        p.run(Gather(indices: next, table: weights.embedding, y: embedded))
        let joined = p.floats("mtp joined", [rows.count, 2 * width])
        p.run(RMSNorm(x: embedded, weight: module.embeddingNorm, y: joined, epsilon: config.rmsNormEps))
        p.run(RMSNorm(x: hidden, weight: module.hiddenNorm, y: joined, column: width, epsilon: config.rmsNormEps))

        let x = linear(ProductInput(x: joined), module.projection, rows.phase, "mtp x", &p)
        let input = normed(x, module.layer.inputNorm, for: module.layer.attention.input.weights, rows.phase, &p)
        let delta = block(module.layer, config.numHiddenLayers, rows, x: x, input: input, &p)
        let normed = norm(x, adding: delta, module.finalNorm, &p)
        return linear(ProductInput(x: normed), weights.head, rows.phase, "mtp logits", &p)
    }
}
