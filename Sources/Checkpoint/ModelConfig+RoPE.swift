import Glibc

extension ModelConfig {
    /// The angular frequency of each pair of rotary dimensions, `[qkRopeHeadDim / 2]`, in radians per position: θ_i =
    /// ropeTheta^(−2i / qkRopeHeadDim). With YaRN, frequencies that turn less than betaSlow times within the original
    /// context are divided by `factor`, frequencies that turn more than betaFast times are kept, and the others are
    /// blended linearly.
    public func ropeFrequencies() -> [Float] {
        let dimension = Double(qkRopeHeadDim)
        let plain = (0..<qkRopeHeadDim / 2).map { pow(ropeTheta, -2 * Double($0) / dimension) }
        guard let yarn else { return plain.map { Float($0) } }

        // The (fractional) index of the pair that turns `rotations` times within the original context.
        func dimensionTurning(_ rotations: Double) -> Double {
            let original = Double(yarn.originalMaxPositionEmbeddings)
            return dimension * log(original / (rotations * 2 * Double.pi)) / (2 * log(ropeTheta))
        }
        let low = max(floor(dimensionTurning(yarn.betaFast)), 0)
        var high = min(ceil(dimensionTurning(yarn.betaSlow)), dimension - 1)
        if high == low { high += 0.001 }
        return plain.enumerated().map { index, frequency in
            let kept = 1 - min(max((Double(index) - low) / (high - low), 0), 1)
            return Float(frequency / yarn.factor * (1 - kept) + frequency * kept)
        }
    }

    /// The factor of cosines and sines: 1 in every published model.
    public var ropeAttentionFactor: Float {
        guard let yarn else { return 1 }
        return Float(yarn.magnitude(yarn.mscale) / yarn.magnitude(yarn.mscaleAllDim))
    }

    /// The factor of attention scores before the softmax: 1 / √qkHeadDim, with YaRN times (0.1 · mscaleAllDim ·
    /// ln(factor) + 1)².
    public var softmaxScale: Float {
        let plain = 1 / Double(qkHeadDim).squareRoot()
        guard let yarn else { return Float(plain) }
        let magnitude = yarn.magnitude(yarn.mscaleAllDim)
        return Float(plain * magnitude * magnitude)
    }
}

extension ModelConfig.YaRN {
    /// 0.1 · scale · ln(factor) + 1; 1 if factor ≤ 1.
    fileprivate func magnitude(_ scale: Double) -> Double {
        factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1
    }
}
