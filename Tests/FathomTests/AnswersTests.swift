import Foundation
import Testing

/// The whole way, from a question to the built-in model's answer, on the CPU and on a Vulkan device.
@Suite(.serialized) struct AnswersTests {
    /// Twelve questions, and what a right answer holds.
    private static let questions = [
        ("What is the capital of France?", "Paris"), ("What is the capital of Japan?", "Tokyo"),
        ("Who are you?", "Minnow"), ("What can you do?", "capitals"), ("What is 7 plus 5?", "12"),
        ("What is 42 minus 17?", "25"), ("What is 23 + 58?", "81"), ("What is the opposite of hot?", "cold"),
        ("Spell the word lamp.", "l-a-m-p"), ("Reverse the word stone.", "e-n-o-t-s"),
        ("Tell me a story about a fox.", "fox"), ("Who won the 1998 World Cup?", "not know"),
    ]

    @Test(arguments: [["--device", "cpu"], []])
    func twelveQuestions(device: [String]) throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("questions.txt", Self.questions.map { $0.0 + "\n" }.joined())
        let result = try Program.run(["generate", "--input-file", file] + device)
        #expect(result.status == 0 && result.lines.count == Self.questions.count, "\(result)")
        for ((question, fact), answer) in zip(Self.questions, result.lines) {
            #expect(answer.contains(fact), "\(question)")
        }
    }
}
