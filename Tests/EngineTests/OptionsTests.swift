import Engine
import Testing

@Suite struct OptionsTests {
    @Test(arguments: [
        (SamplingOptions(temperature: -1), "temperature: expected 0 (the likeliest token) or more, found -1.0"),
        (SamplingOptions(temperature: .nan), "temperature: expected 0 (the likeliest token) or more, found nan"),
        (SamplingOptions(temperature: .infinity), "temperature: expected 0 (the likeliest token) or more, found inf"),
        (SamplingOptions(topK: -3), "top-k: expected 0 (off) or more, found -3"),
        (SamplingOptions(topP: 1.5), "top-p: expected a number from 0 to 1 (off), found 1.5"),
        (SamplingOptions(minP: -0.1), "min-p: expected a number from 0 (off) to 1, found -0.1"),
        (
            SamplingOptions(repetitionPenalty: 0),
            "repetition-penalty: expected a number above 0 (1 is off), found 0.0"
        ),
    ])
    func aValueOutsideItsRangeIsNamed(options: SamplingOptions, message: String) {
        let error = #expect(throws: GenerationError.self) { try options.validate() }
        #expect(error?.description == message)
    }

    @Test func limitsOfTheAnswer() throws {
        let none = #expect(throws: GenerationError.self) { try GenerationOptions(maxNewTokens: 0).validate() }
        #expect(none?.description == "max-new-tokens: expected 1 or more, found 0")
        let empty = #expect(throws: GenerationError.self) { try GenerationOptions(stopStrings: ["a", ""]).validate() }
        #expect(empty?.description == "stop: expected a text of at least one character, found an empty one")
        try GenerationOptions(
            sampling: SamplingOptions(temperature: 2, topK: 1, topP: 0, minP: 1, repetitionPenalty: 0.5),
            stopStrings: ["x"], maxNewTokens: 1
        ).validate()
    }
}
