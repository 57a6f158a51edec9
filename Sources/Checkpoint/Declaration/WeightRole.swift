/// Which weight of a DeepSeek model a tensor is, whatever a file calls it.
public enum WeightRole: Hashable, Sendable {
    case embedding, finalNorm, head
    /// Layers from `numHiddenLayers` on are the multi-token prediction's.
    case layer(Int, LayerRole)
}

/// A weight within a layer. Comments give the symbols of the DeepSeek-V2 report, section 2.1, and V3 report, section 2.2.
public enum LayerRole: Hashable, Sendable {
    case inputNorm, postAttentionNorm

    /// W_Q, in a model whose queries are not compressed.
    case query
    /// W_DQ, the norm of the compressed query, W_UQ with W_QR.
    case queryA, queryANorm, queryB
    /// W_DKV with W_KR, the norm of the latent, W_UK with W_UV, W_O.
    case kvA, kvANorm, kvB, attentionOutput

    /// The gated network of a layer without experts.
    case dense(Projection)
    case router
    /// Selection bias of the auxiliary-loss-free balancing (V3).
    case routerBias
    case expert(Int, Projection)
    /// All shared experts as one network.
    case shared(Projection)

    /// Multi-token prediction: the norms of the next token's embedding and of the hidden state, M_k, the norm before the
    /// head, and the copies of embedding and head that a checkpoint may hold.
    case embeddingNorm, hiddenNorm, predictionProjection, predictionNorm, embeddingCopy, headCopy
}

/// A matrix of a gated network: down · (silu(gate · x) · (up · x)).
public enum Projection: String, Hashable, Sendable, CaseIterable {
    case gate, up, down
}

/// One of the tensors by which a file stores a weight.
public enum WeightComponent: Sendable, CaseIterable {
    /// The elements, or codes in FP8.
    case elements
    /// FP8's: one scale for each block (see `BlockScaling`).
    case blockScales
    /// Packed integers (see `GroupScaling`): the words, one scale for each group, and the matrix's rows and columns.
    case packed, groupScales, packedShape

    /// Whether the tensor holds factors of the weight's codes.
    public var isScales: Bool { self == .blockScales || self == .groupScales }
}
