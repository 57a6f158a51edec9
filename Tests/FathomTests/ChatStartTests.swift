import Foundation
import Glibc
import Testing

struct ChatStartTests {
    /// The second from the program's start to the first token, with the kernels compiled. Counted is what processors
    /// spend on it: other tests run beside this one.
    @Test(arguments: [["--device", "cpu"], []]) func theFirstTokenIsThereWithinASecond(device: [String]) throws {
        let question = "What is the capital of France?\n"
        #expect(try Program.run(["chat"] + device, input: question).output == "The capital of France is Paris.\n")
        let times = try (0..<3).map { _ in
            let chat = try Program.start(["chat"] + device)
            try chat.input.write(contentsOf: Data(question.utf8))
            let first = try #require(try chat.output.read(upToCount: 1))
            let time = try Self.processorSeconds(chat.process.processIdentifier)
            try chat.input.close()
            #expect(chat.finish(after: String(decoding: first, as: UTF8.self)).output.hasPrefix("The capital"))
            return time
        }
        #expect(times.min()! < 1, "\(times)")
    }

    /// What a process has spent so far, by all its threads.
    private static func processorSeconds(_ process: Int32) throws -> Double {
        let line = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        // The name, in parentheses, may hold anything.
        let fields = try #require(line.split(separator: ")").last).split(separator: " ")
        let ticks = try (#require(Int(fields[11])), #require(Int(fields[12])))
        return Double(ticks.0 + ticks.1) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
