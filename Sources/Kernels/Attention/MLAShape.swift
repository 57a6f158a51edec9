/// The dimensions of multi-head latent attention, by DeepSeek's names.
public struct MLAShape: Sendable {
    public var heads, qkNopeHeadDim, qkRopeHeadDim, vHeadDim, kvLoraRank: Int

    public init(heads: Int, qkNopeHeadDim: Int, qkRopeHeadDim: Int, vHeadDim: Int, kvLoraRank: Int) {
        precondition(qkRopeHeadDim % 2 == 0 && kvLoraRank % 2 == 0, "MLA: odd rope or latent width")
        self.heads = heads
        self.qkNopeHeadDim = qkNopeHeadDim
        self.qkRopeHeadDim = qkRopeHeadDim
        self.vHeadDim = vHeadDim
        self.kvLoraRank = kvLoraRank
    }

    /// Values of a cache entry: RMS(c) and rope(k_pe).
    public var entryWidth: Int { kvLoraRank + qkRopeHeadDim }
    /// Columns of a cache entry and of an absorbed query: the values, and zeros up to a multiple of 8, so that both can be read
    /// in chunks of 16 bytes.
    public var paddedEntryWidth: Int { ceilDivide(entryWidth, 8) * 8 }
    public var queryWidth: Int { heads * (qkNopeHeadDim + qkRopeHeadDim) }
    /// The factor of the scores, without a correction for long contexts.
    var plainScale: Float { 1 / Float(qkNopeHeadDim + qkRopeHeadDim).squareRoot() }

    /// V3's shape with fewer heads, a ragged one, and one without multiples of 16.
    static let samples = [
        ("V3, 4 heads", MLAShape(heads: 4, qkNopeHeadDim: 128, qkRopeHeadDim: 64, vHeadDim: 128, kvLoraRank: 512)),
        ("ragged", MLAShape(heads: 3, qkNopeHeadDim: 24, qkRopeHeadDim: 16, vHeadDim: 40, kvLoraRank: 80)),
        ("prime", MLAShape(heads: 5, qkNopeHeadDim: 7, qkRopeHeadDim: 6, vHeadDim: 11, kvLoraRank: 26)),
    ]
}

/// Rotates the interleaved pairs (x0, x1), (x2, x3), … by position · frequency, in FP32.
func rotate(_ x: [Float], position: Int, frequencies: UnsafeMutablePointer<Float>, factor: Float) -> [Float] {
    var y = x
    for i in 0..<x.count / 2 {
        let angle = Float(position) * frequencies[i]
        let (c, s) = (cosine(angle) * factor, sine(angle) * factor)
        y[2 * i] = x[2 * i] * c - x[2 * i + 1] * s
        y[2 * i + 1] = x[2 * i] * s + x[2 * i + 1] * c
    }
    return y
}
