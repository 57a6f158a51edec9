import ArgumentParser
import Engine

/// How tokens are drawn and where an answer ends: the flags that every generating command has.
struct SamplingFlags: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "0 always takes the likeliest token; higher values vary the answer more.", valueName: "number"))
    var temperature = 0.0

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Draw from this many of the likeliest tokens; 0: all.", valueName: "n"))
    var topK = 0

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Draw from the likeliest tokens that together have this probability.", valueName: "0…1"))
    var topP = 1.0

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Drop tokens below this share of the likeliest one's probability.", valueName: "0…1"))
    var minP = 0.0

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Above 1 makes tokens of prompt and answer less likely to come again; tokens are then drawn by the host, not the device.",
            valueName: "number"))
    var repetitionPenalty = 1.0

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Same seed, same answer. Without it, 0.", valueName: "n"),
        transform: SamplingFlags.parseSeed)
    var seed: UInt64 = 0

    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("End the answer before this text; may be given several times.", valueName: "text"))
    var stop: [String] = []

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Most tokens of the answer; without it, until the context is full.", valueName: "n"))
    var maxNewTokens: Int?

    mutating func validate() throws {
        do { try options(stopTokens: []).validate() } catch { throw ValidationError(ErrorAdvice.line(error)) }
    }

    /// The flags as generation takes them.
    func options(stopTokens: Set<Int32>) -> GenerationOptions {
        GenerationOptions(
            sampling: SamplingOptions(
                temperature: temperature, topK: topK, topP: topP, minP: minP, repetitionPenalty: repetitionPenalty,
                seed: seed),
            stopStrings: stop, stopTokens: stopTokens, maxNewTokens: maxNewTokens)
    }

    private static func parseSeed(_ text: String) throws -> UInt64 {
        guard let seed = UInt64(text) else {
            throw ValidationError("expected a whole number from 0 to \(UInt64.max), found \(text)")
        }
        return seed
    }
}
