import FixtureSupport
import Foundation
import Loading
import Model
import Numerics
import Testing

@testable import Engine

@Suite struct PerplexityTests {
    /// −ln p of a row's token, by the formula.
    private func surprise(_ token: Int32, _ logits: [Float]) -> Double {
        let total = logits.reduce(0.0) { $0 + exp(Double($1)) }
        return log(total) - Double(logits[Int(token)])
    }

    /// Windows and strides: which tokens stand before each, by a model that depends on all of them.
    @Test(arguments: [(40, 40, 7), (100, 16, 8), (100, 16, 15), (100, 16, 1), (33, 2, 1), (17, 16, 8), (2, 2, 1)])
    func everyTokenIsForetoldOnceFromItsWindow(count: Int, window: Int, stride: Int) throws {
        let model = HistoryModel(contextLength: max(window, 2))
        var random = SeededRandom(seed: 3)
        let tokens = (0..<count).map { _ in Int32(random.next() % 50) }
        var sum = 0.0
        for place in 1..<count {
            // The first window that reaches the token.
            var begin = 0
            while begin + window <= place { begin += stride }
            sum += surprise(tokens[place], model.logits(after: Array(tokens[begin..<place])))
        }
        let found = try #require(try Perplexity.measure(tokens, on: model, window: window, stride: stride))
        #expect(found.tokenCount == count - 1 && abs(found.nats - sum / Double(count - 1)) < 1e-12)
        #expect(model.sequences.isEmpty)
    }

    /// A vocabulary so large that rows come in many steps.
    @Test func rowsOfAStepAreFew() throws {
        let model = HistoryModel(vocabularySize: 6 << 20)
        let tokens: [Int32] = [1, 2, 3, 4, 5, 6]
        let found = try #require(try Perplexity.measure(tokens, on: model, window: 100, stride: 50))
        #expect(model.steps.map { $0.tokenCounts[0] } == [2, 2, 1] && found.tokenCount == 5)
    }

    @Test func certaintyIsOneAndAGuessIsTheVocabulary() throws {
        var certain = Perplexity()
        for _ in 0..<3 { certain.add(1, logits: [0, 100, 0][...]) }
        #expect(abs(certain.value - 1) < 1e-12 && certain.uncertainty! < 1e-12)
        var guess = Perplexity()
        guess.add(2, logits: [3, 3, 3, 3][...])
        #expect(abs(guess.value - 4) < 1e-12 && guess.uncertainty == nil)
        // −ln p of ln 4 and ln 2: the mean's standard deviation is half of their distance.
        guess.add(0, logits: [0, 0][...])
        #expect(abs(guess.value - 8.0.squareRoot()) < 1e-12)
        #expect(abs(guess.uncertainty! - guess.value * log(2) / 2) < 1e-12)
    }

    @Test func itEndsWhereItIsAskedTo() throws {
        let model = HistoryModel()
        #expect(try Perplexity.measure([1, 2, 3], on: model, window: 2, stride: 1) { _ in false } == nil)
        #expect(model.sequences.isEmpty && model.steps.count == 1)
    }

    /// Against the logits of Hugging Face transformers, which agree to 1e-9 (1 − 2Σxy/Σ(x²+y²)): each to some 3e-5 of its
    /// size. The mean over the tokens is closer.
    @Test(arguments: Oracle.allCases) func otherImplementationsLogitsGiveTheSame(oracle: Oracle) throws {
        let folder = try oracle.folder()
        let expected = try SafetensorsReader(path: folder + "/expected.safetensors")
        let tokens = try expected.integers("tokens").map { Int32($0) }
        let logits = try expected.floats("logits")
        let width = logits.count / tokens.count
        let sum = (1..<tokens.count).reduce(0.0) { sum, place in
            sum + surprise(tokens[place], Array(logits[(place - 1) * width..<place * width]))
        }
        let model = try ModelLoader.load(source: .folder(folder), device: .cpu, options: LoadOptions()) { _ in true }
        let window = model.contextLength
        #expect(window >= tokens.count)
        let found = try #require(try Perplexity.measure(tokens, on: model, window: window, stride: window / 2))
        #expect(abs(found.nats - sum / Double(tokens.count - 1)) < 1e-5)
    }
}
