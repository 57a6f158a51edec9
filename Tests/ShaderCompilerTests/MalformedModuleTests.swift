import Testing

@testable import ShaderCompiler

/// Words that are no SPIR-V are an error that says where, never a crash.
struct MalformedModuleTests {
    private func message(_ words: [UInt32]) throws -> String {
        let error = try #require(throws: BuildError.self) { try Reflection(words: words, file: "test.comp") }
        return error.description
    }

    private let header: [UInt32] = [0x0723_0203, 0x0001_0600, 0, 100, 0]

    @Test func anotherMagicNumberIsNamed() throws {
        #expect(
            try message([0x0302_2307, 0x0001_0600, 0, 100, 0]).contains(
                "expected 0x7230203 at its start, found 0x3022307"))
        #expect(try message([]).contains("found no words"))
    }

    @Test func aTruncatedHeaderIsNamed() throws {
        #expect(try message([0x0723_0203, 0x0001_0600]).contains("expected a header of 5 words, found 2"))
    }

    @Test func aTruncatedInstructionIsNamedWithItsPlace() throws {
        // OpName of 4 words, of which two are there.
        #expect(try message(header + [4 << 16 | 5, 1]).contains("instruction 5 at word 5 has 4 words, 2 are there"))
    }

    @Test func anInstructionTooShortIsNamed() throws {
        #expect(try message(header + [0]).contains("word 5: expected at least 1 words of instruction 0, found 0"))
        #expect(
            try message(header + [2 << 16 | 59, 1]).contains("expected at least 4 words of instruction 59, found 2"))
    }

    @Test func aModuleWithoutAWorkgroupSizeIsAnError() throws {
        #expect(try message(header) == "test.comp:1: error: no workgroup size")
    }

    /// A real module, cut after every word: what is left is an error or a module with less in it.
    @Test func everyPrefixOfAModuleEndsWithoutACrash() throws {
        let words = try Shader(Shader.body(params: "uint n;", "y[n] = x[n];")).compile()
        var complete = 0
        for count in 0..<words.count {
            do {
                let reflection = try Reflection(words: Array(words.prefix(count)), file: "test.comp")
                complete += reflection.bindings.count == 2 ? 1 : 0
            } catch {
                #expect(error.description.hasPrefix("test.comp:1: error: "))
            }
        }
        // Only cuts between instructions after the interface leave all of it.
        #expect(complete > 0 && complete < words.count / 2)
    }
}
