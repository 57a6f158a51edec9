import Checkpoint

/// The input is a config.json. If it is accepted, all values that depend only on the config can be computed and are
/// valid.
func fuzz(_ input: UnsafeRawBufferPointer) {
    do throws(CheckpointError) {
        let config = try ModelConfig(json: Array(input), name: "config.json")
        check(config.softmaxScale > 0 && config.softmaxScale.isFinite, "softmaxScale is \(config.softmaxScale)")
        check(config.ropeAttentionFactor.isFinite, "ropeAttentionFactor is \(config.ropeAttentionFactor)")
        let frequencies = config.ropeFrequencies()
        check(frequencies.count == config.qkRopeHeadDim / 2, "\(frequencies.count) frequencies")
        check(frequencies.allSatisfy { $0 >= 0 && $0 <= 1 }, "frequencies from \(frequencies.min() ?? 0)")
        list(config)
        list(config.resized(layers: 2, experts: config.nRoutedExperts > 0 ? 6 : nil, isFP8: true))
    } catch {
        check(!error.description.isEmpty, "an empty description")
    }
}

/// Checks the tensors that a config requires: each once, none empty, and with a total size that fits in 64 bits.
private func list(_ config: ModelConfig) {
    let layers = config.numHiddenLayers + config.numNextnPredictLayers
    // Larger lists have the same parts and only take longer.
    guard config.nRoutedExperts <= 64 else { return }
    let short = layers <= 4 ? config : config.resized(layers: 4, experts: nil, isFP8: config.isFP8)
    let tensors = WeightList(short, hasMTP: true)
    check(Set(tensors.map(\.name)).count == tensors.count, "a tensor twice")
    var byteCount = 0
    for tensor in tensors {
        check(tensor.shape.allSatisfy { $0 > 0 }, "\(tensor.name) is \(tensor.shape)")
        byteCount += tensor.shape.reduce(4, *)
    }
    check(byteCount > 0 && !byteCount.multipliedReportingOverflow(by: layers).overflow, "\(layers) times \(byteCount)")
}
