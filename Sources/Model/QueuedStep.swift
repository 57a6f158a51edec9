import Kernels
import Numerics

/// A step on its way.
struct QueuedStep {
    var runs: [Transformer.Run]
    var phase: StepPhase
    var items: [StepItem]
    /// Rows of the batch that have results.
    var outputRows: [Int]
    var output: StepOutput
    /// Nil without a device: it is done then.
    var recording: Recording?

    /// The item that a row of the batch belongs to.
    func owner(of row: Int) -> Int {
        var row = row
        for run in runs {
            if row < run.tokens.count { return run.item }
            row -= run.tokens.count
        }
        preconditionFailure("row \(row) beyond the batch")
    }
}

extension Transformer {
    /// A run of one item's tokens, and the position of the first.
    struct Run {
        var item: Int
        var tokens: Range<Int>
        var start: Int
        /// Whether its attention is computed in expanded form.
        var expands = false
    }

    /// - Parameter follows: whether the items' tokens are those that the step before chooses.
    func queue(
        _ runs: [Run], _ phase: StepPhase, _ items: [StepItem], follows: Bool = false
    ) throws(ModelError) -> QueuedStep {
        let (batch, inputs) = try makeBatch(runs, phase, items, follows: follows)
        let (recording, output) = try executor.queue(
            phase == .decode && observer == nil ? batch.key : nil, inputs: inputs, in: batch.inputs
        ) { () throws(ModelError) in try compute(batch) }
        recording?.isAwaited = true
        return QueuedStep(
            runs: runs, phase: phase, items: items, outputRows: batch.outputRows, output: output, recording: recording)
    }

    /// Records the logits of the rows that are wanted, or tokens chosen from them.
    func compute(_ batch: Batch) throws(ModelError) -> StepOutput {
        let logits = try forward(batch)
        guard let logits, let choice = batch.choice else { return StepOutput(logits: logits) }
        let chosen = try chosenTokens(logits.rows)
        switch choice {
        case .best(let among):
            let candidates = Tensor(logits.storage, .f32, [logits.rows, among], pitch: logits.pitch)
            try executor.run(Argmax(logits: candidates, result: chosen))
        case .drawn:
            try executor.run(Sample(logits: logits, rules: batch.rules!, result: chosen))
        }
        return StepOutput(chosen: chosen)
    }

    /// Waits for the step, and adds its results to those of the items they belong to, of which `places` tells the places. What
    /// belongs to no item is left.
    func read(
        _ step: QueuedStep, _ places: [SequenceID: Int], _ results: inout [Logits]
    ) throws(ModelError) {
        defer { step.recording?.isAwaited = false }
        if let recording = step.recording { try executor.wait(for: recording) }
        let owners = step.outputRows.map { places[step.items[step.owner(of: $0)].sequence] }
        if let chosen = step.output.chosen {
            let words =
                if let recording = step.recording { recording.results(2 * chosen.columns) } else {
                    try executor.words(chosen)
                }
            for (row, owner) in owners.enumerated() {
                guard let owner else { continue }
                guard words[chosen.columns + row] == 0 else { throw try fault(in: step, places) }
                results[owner] = Logits(rowCount: 1, values: [], token: Int32(words[row]))
            }
        } else if let logits = step.output.logits {
            let values = try executor.floats(logits)
            guard FiniteScan.areFinite(values) else { throw try fault(in: step, places) }
            for (row, owner) in owners.enumerated() {
                guard let owner else { continue }
                results[owner].rowCount += 1
                results[owner].values += values[row * config.vocabSize..<(row + 1) * config.vocabSize]
            }
        }
    }

    /// Runs the step again, looking at the residual stream before each layer: where it is first not finite.
    private func fault(in step: QueuedStep, _ places: [SequenceID: Int]) throws(ModelError) -> ModelError {
        var place: String?
        let outer = observer
        observer = { [self] (observation) throws(ModelError) in
            guard place == nil, case .hidden(let layer, let x) = observation else { return }
            let values = try executor.flushed { () throws(ModelError) in try executor.floats(x) }
            guard values.contains(where: { !$0.isFinite }) else { return }
            place = layer == 0 ? "the embedding" : "layer \(layer - 1)"
        }
        defer { observer = outer }
        let runs = step.runs.filter { places[step.items[$0.item].sequence] != nil }
        if let recording = try queue(runs, step.phase, step.items).recording {
            defer { recording.isAwaited = false }
            try executor.wait(for: recording)
        }
        return .notFinite(place: place ?? "the head")
    }
}
