import Engine
import Model
import Testing
import Text

@Suite struct SessionTests {
    private let model = HistoryModel()
    private let sampled = SamplingOptions(temperature: 1, topK: 20, repetitionPenalty: 1.1, seed: 3)

    @Test(arguments: [1, 7, 64, 256])
    func theAnswerIsTheTextbooks(chunk: Int) throws {
        let prompt = (0..<100).map { Int32($0 % 50) }
        let options = GenerationOptions(sampling: sampled, maxNewTokens: 40)
        let session = try Session(model: model, prefillChunk: chunk)
        let answer = try session.generate(prompt, options: options, text: NoText())
        #expect(answer.tokens == textbookAnswer(model, prompt, options))
        #expect(answer.text == "")
        #expect(answer.summary.finishReason == .length)
        #expect(answer.summary.promptTokenCount == 100 && answer.summary.prefillTokenCount == 100)
        #expect(answer.summary.generatedTokenCount == 40 && answer.summary.decodeStepCount == 39)
        #expect(answer.summary.prefillSeconds > 0 && answer.summary.decodeSeconds > 0)
        let prefills = model.steps.filter { $0.phase == .prefill }
        #expect(prefills.count == (100 + chunk - 1) / chunk && prefills.allSatisfy { $0.tokenCounts[0] <= chunk })
    }

    @Test func aNewTurnComputesOnlyItsNewTokens() throws {
        let session = try Session(model: model)
        let options = GenerationOptions(sampling: sampled, maxNewTokens: 10)
        let first: [Int32] = [1, 2, 3, 4]
        let answer = try session.generate(first, options: options, text: NoText())
        let second = first + answer.tokens + [7, 8]
        let next = try session.generate(second, options: options, text: NoText())
        #expect(next.tokens == textbookAnswer(model, second, options))
        // The last token drawn was never appended.
        #expect(next.summary.cachedTokenCount == 13 && next.summary.prefillTokenCount == 3)

        // The same prompt again, as for a regenerated answer: its last token alone.
        let again = try session.generate(second, options: options, text: NoText())
        #expect(again.tokens == next.tokens)
        #expect(again.summary.cachedTokenCount == 15 && again.summary.prefillTokenCount == 1)

        // Another second word, and a prompt that is the beginning of the last one.
        for prompt in [[1, 9, 3], [1]] as [[Int32]] {
            let other = try session.generate(prompt, options: options, text: NoText())
            #expect(other.tokens == textbookAnswer(model, prompt, options))
            #expect(other.summary.cachedTokenCount == (prompt.count == 3 ? 1 : 0))
        }
        session.reset()
        #expect(session.cachedTokens.isEmpty)
        #expect(try session.generate(first, options: options, text: NoText()).summary.cachedTokenCount == 0)
    }

    /// Every step but the prompt's is submitted before its token is known, and none that the limit or the context's end forbids.
    @Test(arguments: [0, 0.8]) func theNextStepIsForeseen(temperature: Double) throws {
        let sampling = SamplingOptions(temperature: temperature, topP: 0.9, seed: 4)
        let session = try Session(model: model)
        let limited = GenerationOptions(sampling: sampling, maxNewTokens: 30)
        let answer = try session.generate([1, 2], options: limited, text: NoText())
        #expect(answer.tokens == textbookAnswer(model, [1, 2], limited))
        #expect(model.followingCount == 29 && model.pendingCount == 0)
        let small = HistoryModel(contextLength: 20)
        let full = try Session(model: small).generate(
            [1, 2], options: GenerationOptions(sampling: sampling), text: NoText())
        #expect(full.tokens.count == 18 && small.followingCount == 17 && small.pendingCount == 0)
    }

    @Test func theEndTokenEndsTheAnswer() throws {
        model.script = [5: 6, 6: 7, 7: 2]
        let session = try Session(model: model)
        let answer = try session.generate([5], options: GenerationOptions(stopTokens: [2]), text: PieceText())
        #expect(answer.tokens == [6, 7])
        #expect(answer.text == "<6><7>")
        #expect(answer.summary.finishReason == .stop)
    }

    @Test func aStopStringAcrossTokensEndsTheAnswer() throws {
        model.script = [5: 6, 6: 7, 7: 8, 8: 9, 9: 9]
        let text = PieceText(pieces: [6: "one tw", 7: "o thr", 8: "ee", 9: " four"])
        let session = try Session(model: model)
        var parts: [String] = []
        let options = GenerationOptions(stopStrings: ["three", "zzz"], maxNewTokens: 20)
        let answer = try session.generate([5], options: options, text: text) {
            if case .text(let part) = $0 { parts.append(part) }
        }
        #expect(parts == ["one tw", "o "])
        #expect(answer.text == "one two " && answer.tokens == [6, 7, 8])
        #expect(answer.summary.finishReason == .stopString)
    }

    @Test func charactersAreNeverCut() throws {
        let model = HistoryModel(vocabularySize: 300)
        // Each byte's successor, all different: "é€🌍" byte by byte.
        let bytes: [Int32] = [0xC3, 0xA9, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x8C, 0x8D]
        for (byte, next) in zip([5] + bytes, bytes) { model.script[byte] = next }
        let session = try Session(model: model)
        var parts: [String] = []
        let options = GenerationOptions(maxNewTokens: bytes.count)
        let answer = try session.generate([5], options: options, text: TokenizerText(byteTokenizer())) {
            if case .text(let part) = $0 { parts.append(part) }
        }
        #expect(parts == ["é", "€", "🌍"] && answer.text == "é€🌍")
        // Cut off inside the last character: one replacement, at the end.
        let cut = try session.generate(
            [5], options: GenerationOptions(maxNewTokens: 7), text: TokenizerText(byteTokenizer()))
        #expect(cut.text == "é€\u{FFFD}")
    }

    @Test func idsWithoutATokenAreNeverDrawn() throws {
        let model = HistoryModel(vocabularySize: 300)
        let session = try Session(model: model)
        let options = GenerationOptions(sampling: SamplingOptions(temperature: 3, seed: 1), maxNewTokens: 300)
        let answer = try session.generate([5], options: options, text: TokenizerText(byteTokenizer()))
        #expect(answer.tokens.allSatisfy { $0 < 256 })
    }

    @Test func aFullContextEndsTheAnswer() throws {
        let model = HistoryModel(contextLength: 20)
        let session = try Session(model: model)
        let answer = try session.generate([1, 2, 3, 4, 5], options: GenerationOptions(), text: NoText())
        #expect(answer.tokens.count == 15 && answer.summary.finishReason == .contextFull)
        #expect(answer.tokens == textbookAnswer(model, [1, 2, 3, 4, 5], GenerationOptions()))
    }

    @Test func aFullCacheEndsTheAnswer() throws {
        let model = HistoryModel(pageCount: 1)
        let session = try Session(model: model)
        let answer = try session.generate([1, 2, 3, 4], options: GenerationOptions(), text: NoText())
        // 64 in the cache, and the last one drawn.
        #expect(answer.tokens.count == 61 && answer.summary.finishReason == .contextFull)
    }

    @Test func aPromptThatCannotRunIsAnError() throws {
        let model = HistoryModel(contextLength: 20)
        let session = try Session(model: model)
        func error(_ prompt: [Int32]) -> String? {
            #expect(throws: GenerationError.self) {
                try session.generate(prompt, options: GenerationOptions(), text: NoText())
            }?.description
        }
        #expect(error([])?.contains("empty") == true)
        #expect(error(Array(repeating: 1, count: 20))?.contains("has 20 tokens, but the context holds 20") == true)
        #expect(error([1, 50])?.contains("token id 50: expected 0 to 49") == true)
        #expect(error([-1])?.contains("token id -1") == true)
        #expect(model.steps.isEmpty)
    }

    @Test func anInterruptKeepsWhatIsThere() throws {
        let session = try Session(model: model, prefillChunk: 4)
        let options = GenerationOptions(sampling: sampled, maxNewTokens: 30)
        var asked = 0
        let prompt: [Int32] = Array(1...10)
        func interrupt(at number: Int) -> () -> Bool {
            asked = 0
            return {
                asked += 1
                return asked > number
            }
        }
        let early = try session.generate(prompt, options: options, text: NoText(), isInterrupted: interrupt(at: 2))
        #expect(early.tokens.isEmpty && early.summary.finishReason == .interrupted && session.cachedTokens.count == 8)
        #expect(early.summary.prefillSeconds > 0 && early.summary.prefillRate?.isFinite == true)
        // Two steps finish nothing of the prompt's third chunk: one does, then five tokens.
        let late = try session.generate(prompt, options: options, text: NoText(), isInterrupted: interrupt(at: 5))
        #expect(late.summary.cachedTokenCount == 8 && late.summary.finishReason == .interrupted)
        #expect(late.tokens == Array(textbookAnswer(model, prompt, options).prefix(5)))
        let whole = try session.generate(prompt, options: options, text: NoText())
        #expect(whole.tokens == textbookAnswer(model, prompt, options))
    }

    @Test(arguments: [false, true]) func anErrorOfTheModelPassesAndTheSessionGoesOn(atCollect: Bool) throws {
        let session = try Session(model: model, prefillChunk: 4)
        let options = GenerationOptions(sampling: sampled, maxNewTokens: 12)
        let prompt: [Int32] = Array(1...10)
        for step in [0, 2, 5] {
            model.failure = (model.steps.count + step, .notFinite(place: "layer 3"), atCollect)
            let error = #expect(throws: GenerationError.self) {
                try session.generate(prompt, options: options, text: NoText())
            }
            #expect(error == .model(.notFinite(place: "layer 3")))
            #expect(model.pendingCount == 0)
            session.reset()
        }
        model.failure = (model.steps.count + 6, .interrupted, atCollect)
        #expect(throws: GenerationError.self) { try session.generate(prompt, options: options, text: NoText()) }
        let answer = try session.generate(prompt, options: options, text: NoText())
        #expect(answer.tokens == textbookAnswer(model, prompt, options))
    }

    @Test func eventsComeInOrder() throws {
        model.script = [9: 6, 6: 7]
        var events: [GenerationEvent] = []
        let session = try Session(model: model, prefillChunk: 2)
        _ = try session.generate([7, 8, 9], options: GenerationOptions(maxNewTokens: 2), text: PieceText()) {
            events.append($0)
        }
        #expect(
            events == [
                .prefilled(0, of: 3), .prefilled(2, of: 3), .prefilled(3, of: 3), .token(6), .text("<6>"), .token(7),
                .text("<7>"),
            ])
    }

    @Test func aSessionGivesItsSequenceBack() throws {
        do {
            let session = try Session(model: model)
            _ = try session.generate([1], options: GenerationOptions(maxNewTokens: 1), text: NoText())
        }
        #expect(model.sequences.isEmpty)
    }
}
