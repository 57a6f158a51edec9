import GPU
import Kernels
import Numerics
import Program

/// Everything that a step computed on the way, for comparison with another implementation.
public struct Trace: Sendable {
    public struct Routing: Sendable {
        public var layer: Int
        /// `[T, k]`, each token's in ascending order of expert.
        public var experts: [Int]
        public var weights: [Float]
    }

    /// `[T, V]`
    public var logits: [Float] = []
    /// `[L + 1, T, H]`: the residual stream before each layer, and after the last (before the final norm).
    public var hidden: [[Float]]
    /// `[T − 1, V]`: the multi-token prediction at each token, which has seen the one after it; empty without the module.
    public var mtpLogits: [Float] = []
    public var routing: [Routing] = []
}

public protocol TraceableModel: AnyObject {
    /// Runs the tokens as one new sequence, `chunk` tokens a step (nil: as many as a step takes), and keeps the computed values.
    func trace(_ tokens: [Int32], chunk: Int?) throws(ModelError) -> Trace
    /// The device's name, or "cpu".
    var deviceName: String { get }
    var peakDeviceByteCount: Int? { get }
    /// Has the steps from now on timed, dispatch by dispatch; nil ends that.
    func record(into timeline: StepTimeline?) throws(ModelError)
    /// Nil on the CPU.
    var device: Device? { get }
    /// Notes on parts that the checkpoint lacks and may lack.
    var notes: [String] { get }
}

extension LoadedModel: TraceableModel {
    public var deviceName: String { device?.profile.name ?? "cpu" }
    public var peakDeviceByteCount: Int? { device?.allocatedByteCount.peak }

    public func trace(_ tokens: [Int32], chunk: Int?) throws(ModelError) -> Trace {
        var trace = Trace(hidden: Array(repeating: [], count: config.numHiddenLayers + 1))
        let sequence = try makeSequence()
        defer { release(sequence) }
        let size = chunk ?? max(tokens.count, 1)
        for start in stride(from: 0, to: tokens.count, by: size) {
            let part = Array(tokens[start..<min(start + size, tokens.count)])
            let item = StepItem(size == 1 ? .decode : .prefill, sequence: sequence, tokens: part, rows: .all)
            try reserve([(sequence, part.count)])
            for runs in limits.cut([item], starts: [start]) {
                try trace.add(runs, of: item, after: start, in: tokens, on: self)
                for run in runs { pages.advance(sequence, by: run.tokens.count) }
            }
        }
        trace.routing.sort { $0.layer < $1.layer }
        return trace
    }
}

extension Trace {
    /// Runs one device step of the traced tokens.
    fileprivate mutating func add(
        _ runs: [StepAssembly.Run], of item: StepItem, after start: Int, in tokens: [Int32], on model: LoadedModel
    ) throws(ModelError) {
        let predicts = model.transformer.weights.prediction != nil
        // The module sees one group of rows.
        let steps = predicts ? runs.map { [$0] } : [runs]
        for runs in steps {
            let positions = runs.flatMap { $0.start..<$0.start + $0.tokens.count }
            let following = positions.map { $0 + 1 < tokens.count ? UInt32(tokens[$0 + 1]) : 0 }
            let assembly = StepAssembly(
                runs, of: [item], on: model.surroundings, following: predicts ? following : nil)
            try add(assembly, positions, of: tokens.count, on: model)
        }
    }

    private mutating func add(
        _ assembly: StepAssembly, _ positions: [Int], of tokenCount: Int, on model: LoadedModel
    ) throws(ModelError) {
        let (layers, width) = (model.config.numHiddenLayers, model.config.vocabSize)
        var (chosen, isInputFinite, mtp): ([UInt32], Bool, [Float]) = ([], true, [])
        var trace = self
        let program = model.transformer.forward(assembly.input.shape)
        let output = try model.running { () throws(ProgramError) in
            try model.interpreter.walk(program, assembly.input) { (observation, words) throws(ProgramError) in
                let floats = words.map { Float(bitPattern: $0) }
                switch observation.value {
                case .hidden(let layer): trace.hidden[layer] += floats
                case .experts: chosen = words
                case .expertWeights(let layer):
                    if layer < layers { trace.addRouting(layer, chosen.map { Int($0) }, floats, model) }
                case .normed: isInputFinite = FiniteScan.areFinite(floats)
                case .predictionLogits: mtp = floats
                }
            }
        }
        guard FiniteScan.areFinite(output.logits) else {
            let first = trace.hidden.firstIndex { !FiniteScan.areFinite($0) }
            let place: Program.Place.Layer = first.map { $0 == 0 ? .embedding : .layer($0 - 1) } ?? .head
            throw .notFinite(place: place.description)
        }
        // A faulty input is reported as the step's own fault.
        if isInputFinite, !FiniteScan.areFinite(mtp) {
            throw .notFinite(place: Program.Place.Layer.prediction.description)
        }
        // Nothing follows the last token.
        let known = positions.count { $0 + 1 < tokenCount }
        trace.mtpLogits += mtp.prefix(known * width)
        trace.logits += output.logits
        self = trace
    }

    private mutating func addRouting(_ layer: Int, _ ids: [Int], _ weights: [Float], _ model: LoadedModel) {
        let topK = model.config.numExpertsPerTok
        let place =
            routing.firstIndex { $0.layer == layer }
            ?? {
                routing.append(Routing(layer: layer, experts: [], weights: []))
                return routing.count - 1
            }()
        for first in stride(from: 0, to: ids.count, by: topK) {
            let order = (first..<first + topK).sorted { ids[$0] < ids[$1] }
            routing[place].experts += order.map { ids[$0] }
            routing[place].weights += order.map { weights[$0] }
        }
    }
}
