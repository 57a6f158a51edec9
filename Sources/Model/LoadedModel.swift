import Cache
import Checkpoint
import GPU
import Kernels
import Numerics
import Program

/// A model in memory: its wiring, the interpreter that runs its steps, and the sequences in its cache.
public final class LoadedModel {
    public let config: ModelConfig
    public let contextLength: Int
    /// Notes on parts that the checkpoint lacks and may lack.
    public let notes: [String]
    public let device: Device?
    let transformer: Transformer
    var limits: StepLimits
    private let memory: [any ModelMemory]
    let scratch: ScratchMemory
    private let makeInterpreter: () -> any Interpreter
    var interpreter: any Interpreter
    var pages: PageTable
    private var pending: [Ticket: PendingStep] = [:]
    private var nextTicket = 0
    /// The last submitted step that chose tokens, and the device's row of each result, by items; nil if the tokens of all of
    /// its rows are not on the device.
    private var lastChoice: (ticket: Ticket, rows: [Int])?

    package init(
        _ transformer: Transformer, notes: [String], contextLength: Int, device: Device?,
        memory: [any ModelMemory], scratch: ScratchMemory, interpreter: @escaping () -> any Interpreter
    ) {
        config = transformer.config
        self.transformer = transformer
        self.notes = notes
        self.contextLength = contextLength
        self.device = device
        self.memory = memory
        self.scratch = scratch
        limits = StepLimits(transformer, contextLength: contextLength)
        makeInterpreter = interpreter
        self.interpreter = interpreter()
        pages = PageTable(pageCount: CacheLayout.pageCount(forTokens: contextLength))
    }

    /// Bytes of weights, caches and intermediate values.
    var byteCount: Int { memory.reduce(scratch.byteCount) { $0 + $1.byteCount } }

    /// Has the steps from now on timed; nil ends that. Nothing is timed without a device.
    public func record(into timeline: StepTimeline?) throws(ModelError) {
        guard let device else { return }
        interpreter =
            if let timeline {
                try running { () throws(ProgramError) in
                    try TimedInterpreter(on: device, scratch: scratch, timeline: timeline)
                }
            } else { makeInterpreter() }
    }
}

/// A submitted step.
private struct PendingStep {
    let items: [StepItem]
    /// Tokens that each item's sequence held before.
    let before: [Int]
    /// The last device step. All earlier steps have finished.
    let assembly: StepAssembly
    let submission: Submission
    /// Results of the device steps that are done.
    var results: [StepResult]
    /// The step that chose some of its tokens, and the tokens once they are known.
    let source: Ticket?
    var sourceTokens: [UInt32] = []
}

extension LoadedModel: LanguageModel {
    public var vocabularySize: Int { config.vocabSize }
    public var freeTokenCount: Int { pages.freeTokenCount }
    public func makeSequence() throws(ModelError) -> SequenceID { pages.makeSequence() }
    public func tokenCount(of sequence: SequenceID) -> Int { pages.tokenCount(of: sequence) }
    public func truncate(_ sequence: SequenceID, to tokenCount: Int) { pages.truncate(sequence, to: tokenCount) }
    public func release(_ sequence: SequenceID) { pages.release(sequence) }

    public func submit(_ items: [StepItem]) throws(ModelError) -> Ticket {
        interpreter.prepare()
        let source = try validate(items)
        let before = items.map { pages.tokenCount(of: $0.sequence) }
        try reserve(items.map { ($0.sequence, $0.tokens.count) })
        var results = items.map { _ in StepResult() }
        let steps = limits.cut(items, starts: before)
        do throws(ModelError) {
            for runs in steps.dropLast() {
                let (assembly, submission) = try submit(runs, of: items)
                let output = try running { () throws(ProgramError) in try interpreter.collect(submission) }
                do throws(ModelError) { try add(output, of: assembly, items, to: &results) } catch {
                    throw try locate(error, in: assembly)
                }
                interpreter.prepare()
            }
            let (assembly, submission) = try submit(steps.last ?? [], of: items)
            defer { nextTicket += 1 }
            let ticket = Ticket(nextTicket)
            pending[ticket] = PendingStep(
                items: items, before: before, assembly: assembly, submission: submission, results: results,
                source: source)
            if assembly.input.shape.choice != nil {
                lastChoice = steps.count == 1 ? (ticket, assembly.resultOrder) : nil
            }
            return ticket
        } catch {
            rollBack(items, to: before)
            throw error
        }
    }

    public func collect(_ ticket: Ticket) throws(ModelError) -> [StepResult] {
        guard var step = pending.removeValue(forKey: ticket) else {
            preconditionFailure("step \(ticket.value) was collected or discarded before")
        }
        do throws(ModelError) {
            let output = try running { () throws(ProgramError) in try interpreter.collect(step.submission) }
            let columns = output.chosen.count / 2
            for other in pending.keys where pending[other]!.source == ticket {
                pending[other]!.sourceTokens = Array(output.chosen[..<columns])
            }
            do throws(ModelError) {
                try add(output, of: step.assembly, step.items, to: &step.results)
            } catch {
                throw try locate(error, in: step.assembly, sourceTokens: step.sourceTokens)
            }
            return step.results
        } catch {
            rollBack(step.items, to: step.before)
            throw error
        }
    }

    public func canFollow(_ ticket: Ticket) -> Bool { interpreter.runsAhead && lastChoice?.ticket == ticket }

    public func discard(_ ticket: Ticket) {
        guard let step = pending.removeValue(forKey: ticket) else {
            preconditionFailure("step \(ticket.value) was collected or discarded before")
        }
        interpreter.discard(step.submission)
    }

    // MARK: Steps

    /// Checks the items before anything changes. Returns the step whose chosen tokens they take.
    private func validate(_ items: [StepItem]) throws(ModelError) -> Ticket? {
        precondition(Set(items.map(\.sequence)).count == items.count, "a sequence twice in a step")
        var source: Ticket?
        for item in items {
            for token in item.tokens {
                switch token {
                case .given(let token):
                    guard (0..<config.vocabSize).contains(Int(token)) else {
                        throw .tokenOutOfRange(token: token, vocabularySize: config.vocabSize)
                    }
                case .chosen(let ticket, _):
                    precondition(
                        ticket == lastChoice?.ticket, "a token of step \(ticket.value), which cannot be followed")
                    source = ticket
                }
            }
            let needed = pages.tokenCount(of: item.sequence) + item.tokens.count
            if needed > contextLength { throw .contextExceeded(needed: needed, limit: contextLength) }
        }
        return source
    }

    /// Gives the sequences the pages for new tokens.
    func reserve(_ additions: [(sequence: SequenceID, tokenCount: Int)]) throws(ModelError) {
        do throws(CacheError) {
            let copies = try pages.reserve(additions)
            precondition(copies.isEmpty, "\(copies.count) pages to copy, though no sequences share pages")
        } catch {
            switch error {
            case .full(let needed, let free): throw .cacheFull(neededTokens: needed, freeTokens: free)
            }
        }
    }

    /// Queues one device step; its sequences advance.
    private func submit(
        _ runs: [StepAssembly.Run], of items: [StepItem]
    ) throws(ModelError) -> (StepAssembly, Submission) {
        let assembly = StepAssembly(runs, of: items, on: surroundings)
        let submission = try running { () throws(ProgramError) in
            try interpreter.submit(assembly.input) { transformer.forward(assembly.input.shape) }
        }
        for run in runs { pages.advance(items[run.item].sequence, by: run.tokens.count) }
        return (assembly, submission)
    }

    var surroundings: StepSurroundings {
        StepSurroundings(transformer: transformer, pages: pages, chosenRows: lastChoice?.rows ?? [])
    }

    /// Appends a device step's results to the results of their items.
    ///
    /// - Throws: `.notFinite` without a place.
    private func add(
        _ output: StepOutput, of assembly: StepAssembly, _ items: [StepItem], to results: inout [StepResult]
    ) throws(ModelError) {
        let count = assembly.owners.count
        guard FiniteScan.areFinite(output.logits), output.chosen.dropFirst(count).allSatisfy({ $0 == 0 }) else {
            throw .notFinite(place: "")
        }
        for (row, owner) in assembly.owners.enumerated() {
            if items[owner].kind == .logits {
                let width = config.vocabSize
                results[owner].logits += output.logits[row * width..<(row + 1) * width]
            } else {
                results[owner].tokens.append(Int32(output.chosen[row]))
            }
        }
    }

    private func rollBack(_ items: [StepItem], to counts: [Int]) {
        // A sequence may have been released or truncated since.
        for (item, count) in zip(items, counts) where pages.contains(item.sequence) {
            pages.truncate(item.sequence, to: min(count, pages.tokenCount(of: item.sequence)))
        }
    }

    /// Names the layer where the step's values are first not finite, by running it again.
    private func locate(
        _ error: ModelError, in assembly: StepAssembly, sourceTokens: [UInt32] = []
    ) throws(ModelError) -> ModelError {
        guard case .notFinite = error else { return error }
        guard let assembly = assembly.resolved(sourceTokens) else { return .notFinite(place: "the step") }
        var place: Program.Place.Layer?
        let program = transformer.forward(assembly.input.shape)
        _ = try running { () throws(ProgramError) in
            try interpreter.walk(program, assembly.input) { (observation, words) throws(ProgramError) in
                guard place == nil, case .hidden(let layer) = observation.value,
                    !FiniteScan.areFinite(words.map { Float(bitPattern: $0) })
                else { return }
                place = layer == 0 ? .embedding : .layer(layer - 1)
            }
        }
        return .notFinite(place: (place ?? .head).description)
    }

    func running<R>(_ body: () throws(ProgramError) -> R) throws(ModelError) -> R {
        do throws(ProgramError) { return try body() } catch {
            switch error {
            case .device(let error): throw .device(error)
            case .disagreement(let place, let kernel, let failure):
                throw .disagreement(place: place, kernel: kernel, failure: failure)
            }
        }
    }
}
