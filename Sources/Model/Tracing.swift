import GPU
import Kernels
import Numerics

extension Transformer: TraceableModel {
    public var device: Device? { executor.device }
    public func record(into timeline: StepTimeline?) {
        giveUpBegun()
        executor.record(into: timeline)
    }
    public var deviceName: String { executor.device?.profile.name ?? "cpu" }
    public var peakDeviceByteCount: Int? { executor.device?.allocatedByteCount.peak }

    public func trace(_ tokens: [Int32], chunk: Int?) throws(ModelError) -> Trace {
        var hidden = [[Float]](repeating: [], count: config.numHiddenLayers + 1)
        var mtpLogits: [Float] = []
        var routing: [Int: Trace.Routing] = [:]
        let topK = config.numExpertsPerTok
        observer = { [self] (observation) throws(ModelError) in
            if case .routing(let layer, _, _) = observation, layer >= config.numHiddenLayers { return }
            if case .final(let hidden, let batch) = observation {
                mtpLogits += try prediction(hidden, batch, of: tokens)
                return
            }
            try executor.flushed { () throws(ModelError) in
                switch observation {
                case .hidden(let layer, let x):
                    hidden[layer] += try executor.floats(x)
                case .routing(let layer, let experts, let weights):
                    let ids = try executor.words(experts).map { Int($0) }
                    let values = try executor.floats(weights)
                    var entry = routing[layer] ?? Trace.Routing(layer: layer, experts: [], weights: [])
                    for token in 0..<experts.rows {
                        let order = (token * topK..<(token + 1) * topK).sorted { ids[$0] < ids[$1] }
                        entry.experts += order.map { ids[$0] }
                        entry.weights += order.map { values[$0] }
                    }
                    routing[layer] = entry
                case .final: break
                }
            }
        }
        defer { observer = nil }
        let sequence = try makeSequence()
        defer { release(sequence) }
        var logits: [Float] = []
        let size = chunk ?? max(tokens.count, 1)
        for start in stride(from: 0, to: tokens.count, by: size) {
            let part = Array(tokens[start..<min(start + size, tokens.count)])
            let phase: StepPhase = size == 1 ? .decode : .prefill
            logits += try step(phase, [StepItem(sequence: sequence, tokens: part, output: .all)])[0].values
        }
        return Trace(
            logits: logits, hidden: hidden, mtpLogits: mtpLogits, routing: routing.values.sorted { $0.layer < $1.layer }
        )
    }

    /// The multi-token prediction over a step of the traced tokens, the last of all left out: nothing follows it.
    private func prediction(_ hidden: Tensor, _ batch: Batch, of tokens: [Int32]) throws(ModelError) -> [Float] {
        guard let module = weights.prediction else { return [] }
        let start = batch.firstPosition
        let following = (start + 1..<start + 1 + batch.tokenCount).map { $0 < tokens.count ? UInt32(tokens[$0]) : 0 }
        let next = try tensor("mtp tokens", [batch.tokenCount], words: true)
        try executor.set(next, to: following)
        let logits = try predict(module, hidden: hidden, next: next, batch)
        let (input, values) = try executor.flushed { () throws(ModelError) in
            (try executor.floats(hidden), try executor.floats(logits))
        }
        // What came in faulty is the step's own to report.
        if FiniteScan.areFinite(input), !FiniteScan.areFinite(values) { throw .notFinite(place: executor.place) }
        return Array(values.prefix(min(batch.tokenCount, tokens.count - 1 - start) * config.vocabSize))
    }
}
