import Engine
import Model
import Numerics
import Testing

@Suite struct BatchSchedulerTests {
    /// Requests of all sizes, each with its own seed and ends.
    private func requests(_ count: Int) -> [BatchRequest] {
        var random = SeededRandom(seed: 21)
        return (0..<count).map { index in
            let prompt = (0..<Int.random(in: 1..<150, using: &random)).map { _ in
                Int32.random(in: 0..<50, using: &random)
            }
            let sampling =
                index % 3 == 0 ? .greedy : SamplingOptions(temperature: 1, topP: 0.9, seed: UInt64(index))
            return BatchRequest(
                prompt: prompt,
                options: GenerationOptions(
                    sampling: sampling, stopStrings: index % 4 == 0 ? ["<7>"] : [], stopTokens: [49],
                    maxNewTokens: 1 + index * 7 % 90),
                text: PieceText())
        }
    }

    /// Without what differs by clock.
    private func essence(_ completion: Completion) -> Completion {
        var completion = completion
        completion.summary.prefillSeconds = 0
        completion.summary.decodeSeconds = 0
        return completion
    }

    @Test(arguments: [(1, 256, 100), (4, 64, 100), (16, 256, 100), (16, 32, 8), (5, 1, 6)])
    func eachAnswerIsTheOneItWouldGetAlone(maximumBatch: Int, chunk: Int, pageCount: Int) throws {
        let requests = requests(24)
        let model = HistoryModel(pageCount: pageCount)
        var order: [Int] = []
        var answers: [Completion] = []
        try BatchScheduler(maximumBatch: maximumBatch, prefillChunk: chunk).run(requests, on: model) {
            order.append($0)
            answers.append($1)
        }
        #expect(order == Array(0..<24))
        #expect(model.sequences.isEmpty)
        #expect(model.steps.allSatisfy { $0.tokenCounts.count <= maximumBatch })
        #expect(model.steps.allSatisfy { $0.phase == .decode || $0.tokenCounts.reduce(0, +) <= chunk })
        let alone = HistoryModel()
        for (request, answer) in zip(requests, answers) {
            let session = try Session(model: alone, prefillChunk: chunk)
            let expected = try session.generate(request.prompt, options: request.options, text: PieceText())
            #expect(essence(answer) == essence(expected))
        }
    }

    @Test func stepsAreShared() throws {
        let model = HistoryModel()
        let requests = (0..<8).map {
            BatchRequest(prompt: [Int32($0), 3], options: GenerationOptions(maxNewTokens: 10), text: NoText())
        }
        try BatchScheduler().run(requests, on: model) { _, _ in }
        // One step for all prompts, nine for the other tokens of all answers.
        #expect(model.steps.first == .init(phase: .prefill, tokenCounts: Array(repeating: 2, count: 8)))
        #expect(model.steps.count == 10)
        // The first answers' tokens come with the prompts; from then on nobody can join.
        #expect(model.followingCount == 8 && model.pendingCount == 0)
    }

    @Test func aNewPromptJoinsWhenAnotherIsDone() throws {
        let model = HistoryModel()
        let requests = [30, 3, 3, 3].map {
            BatchRequest(prompt: [1, 2], options: GenerationOptions(maxNewTokens: $0), text: NoText())
        }
        try BatchScheduler(maximumBatch: 2).run(requests, on: model) { _, _ in }
        // The short ones run one after another beside the long one, which takes 29 steps after its prompt's.
        #expect(model.steps.filter { $0.phase == .decode }.count == 29)
        // Nothing is submitted early as long as someone waits to join: in four steps.
        #expect(model.followingCount == 24)
    }

    @Test func oneAloneMayUseAllOfTheCache() throws {
        let model = HistoryModel(pageCount: 2)
        let requests = (0..<2).map { BatchRequest(prompt: [Int32($0)], options: GenerationOptions(), text: NoText()) }
        var answers: [Completion] = []
        try BatchScheduler().run(requests, on: model) { answers.append($1) }
        #expect(answers.map(\.tokens.count) == [128, 128])
        #expect(answers.allSatisfy { $0.summary.finishReason == .contextFull })
    }

    @Test func aPromptThatCannotRunIsNamedBeforeAnythingIsComputed() throws {
        let model = HistoryModel(contextLength: 100, pageCount: 1)
        func error(_ prompt: [Int32]) -> String? {
            let requests = [[1], prompt].map { BatchRequest(prompt: $0, options: GenerationOptions(), text: NoText()) }
            return #expect(throws: GenerationError.self) {
                try BatchScheduler().run(requests, on: model) { _, _ in }
            }?.description
        }
        #expect(error([])?.hasPrefix("prompt 2: the prompt is empty") == true)
        #expect(error(Array(repeating: 1, count: 200))?.hasPrefix("prompt 2: the prompt has 200 tokens") == true)
        #expect(error(Array(repeating: 1, count: 80))?.contains("room for 64 more tokens") == true)
        #expect(model.steps.isEmpty)
    }

    @Test func anInterruptEndsAllWhereTheyAre() throws {
        let model = HistoryModel()
        let requests = [2, 50, 50, 50].map {
            BatchRequest(prompt: [1, 2], options: GenerationOptions(maxNewTokens: $0), text: NoText())
        }
        var rounds = 0
        var answers: [Completion] = []
        try BatchScheduler(maximumBatch: 2).run(
            requests, on: model,
            isInterrupted: {
                rounds += 1
                return rounds > 4
            }, onResult: { answers.append($1) })
        #expect(answers.map(\.summary.finishReason) == [.length, .interrupted, .interrupted, .interrupted])
        #expect(answers[1].tokens.count == 5 && answers[2].tokens.count == 4 && answers[3].tokens.isEmpty)
        #expect(model.sequences.isEmpty)
    }

    @Test(arguments: [false, true]) func anErrorGivesAllSequencesBack(atCollect: Bool) throws {
        let model = HistoryModel()
        model.failure = (3, .notFinite(place: "layer 2"), atCollect)
        let error = #expect(throws: GenerationError.self) {
            try BatchScheduler().run(requests(4), on: model) { _, _ in }
        }
        #expect(error == .model(.notFinite(place: "layer 2")))
        #expect(model.sequences.isEmpty && model.pendingCount == 0)
    }
}
