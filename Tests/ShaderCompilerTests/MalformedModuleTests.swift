import Testing

@testable import ShaderCompiler

/// Words that are not SPIR-V are an error that names the place, never a crash.
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

    /// The instructions refer to types and constants that are not there.
    @Test func danglingReferencesAreErrors() throws {
        // %3 = OpVariable of %2, a pointer to the shared type %1, which nothing declares.
        let variable: [UInt32] = [4 << 16 | 32, 2, 4, 1, 4 << 16 | 59, 2, 3, 4]
        #expect(try message(header + variable).contains("shared variable: expected arrays"))
        // %1 is an array of %4, a float, and its length %5 is not there.
        let array: [UInt32] = [3 << 16 | 22, 4, 32, 4 << 16 | 28, 1, 4, 5]
        #expect(try message(header + array + variable).contains("shared variable: expected arrays"))
        // %5 divides the missing %6 by itself.
        let quotient: [UInt32] = [6 << 16 | 52, 7, 5, 134, 6, 6]
        #expect(try message(header + quotient + array + variable).contains("shared variable: expected arrays"))
        // A workgroup's size of ids that are not there.
        let size: [UInt32] = [6 << 16 | 331, 1, 38, 8, 8, 8]
        #expect(try message(header + size).contains("not computed from 32-bit constants"))
    }

    /// 1 / 0 in a length that nothing evaluates is no error; it is not folded either.
    @Test func aDivisionByZeroIsNotEvaluated() throws {
        let constants: [UInt32] = [4 << 16 | 43, 7, 5, 1, 4 << 16 | 43, 7, 6, 0, 6 << 16 | 52, 7, 8, 134, 5, 6]
        let array: [UInt32] = [3 << 16 | 22, 4, 32, 4 << 16 | 28, 1, 4, 8]
        let variable: [UInt32] = [4 << 16 | 32, 2, 4, 1, 4 << 16 | 59, 2, 3, 4]
        let size: [UInt32] = [6 << 16 | 16, 1, 17, 8, 1, 1]
        let reflection = try Reflection(words: header + size + constants + array + variable, file: "test.comp")
        #expect(
            reflection.sharedArrays == [
                SharedArray(lengths: [.operation(.divide, [.literal(1), .literal(0)])], elementByteCount: 4)
            ])
    }

    @Test func aModuleWithoutAWorkgroupSizeIsAnError() throws {
        #expect(try message(header) == "test.comp:1: error: no workgroup size")
    }

    /// A real module, cut after every word: what is left is an error or a module with less in it.
    @Test func everyPrefixOfAModuleEndsWithoutACrash() throws {
        let words = try Shader(
            "layout(constant_id = 0) const uint ROWS = 4; shared vec2 tile[ROWS / 2 + 1];\n"
                + Shader.body(params: "uint n;", "tile[n].x = x[n]; y[n] = tile[0].x;")
        ).compile()
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
