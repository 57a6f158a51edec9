import Testing

@testable import ShaderCompiler

/// Reflection of shaders that the build's own compiler compiled: buffers, parameters, constants and the interface's rules.
struct ReflectionTests {
    private func reflect(_ glsl: String) throws -> Reflection {
        try Reflection(words: try Shader(glsl).compile(), file: "test.comp")
    }

    @Test func buffersHaveNamesAccessAndTheirBindingsOrder() throws {
        let reflection = try reflect(
            """
            layout(local_size_x = 8) in;
            layout(set = 0, binding = 2) buffer C { float running_sum[]; };
            layout(set = 0, binding = 0) readonly buffer A { float x[]; };
            layout(set = 0, binding = 1) writeonly buffer B { uint codes[]; } packed_codes;
            void main() { running_sum[0] += x[0]; packed_codes.codes[0] = 1u; }
            """)
        #expect(reflection.bindings.map(\.name) == ["x", "packedCodes", "runningSum"])
        #expect(reflection.bindings.map(\.access) == ["read", "write", "readWrite"])
    }

    @Test func parametersHaveTypesAndAreInOrder() throws {
        let reflection = try reflect(
            Shader.body(params: "uint row_count; int shift; float scale;", "y[row_count] = x[0] * scale + shift;"))
        #expect(reflection.params.map(\.name) == ["rowCount", "shift", "scale"])
        #expect(reflection.params.map(\.type) == ["UInt32", "Int32", "Float"])
    }

    @Test func specialisationConstantsHaveTypesIdsAndDefaults() throws {
        let reflection = try reflect(
            """
            layout(constant_id = 7) const float SCALE = 1.5;
            layout(constant_id = 3) const int SHIFT = -2;
            layout(constant_id = 4) const bool IS_PAIRED = true;
            layout(constant_id = 0) const uint ROWS_PER_GROUP = 16;
            """ + Shader.body("y[0] = x[SHIFT + ROWS_PER_GROUP] * (IS_PAIRED ? SCALE : 1.0);"))
        #expect(reflection.constants.map(\.name) == ["rowsPerGroup", "shift", "isPaired", "scale"])
        #expect(reflection.constants.map(\.id) == [0, 3, 4, 7])
        #expect(reflection.constants.map(\.type) == ["UInt32", "Int32", "Bool", "Float"])
        #expect(
            reflection.constants.map(\.defaultBits)
                == [16, UInt32(bitPattern: -2), 1, Float(1.5).bitPattern])
    }

    /// Each breaks one rule of the interface, and the error names the part that does.
    @Test(arguments: [
        (Shader.body(params: "uint n; float16_t half_scale;", "y[0] = x[0] * float(half_scale);"), "Params.half_scale"),
        (Shader.body(params: "uint n; uvec2 size;", "y[0] = x[size.x];"), "Params.size"),
        (Shader.body(params: "layout(offset = 8) uint n;", "y[0] = x[n];"), "Params.n: expected offset 0"),
        (Shader.body(access: ("", "writeonly"), "y[0] = x[0];"), "buffer x: neither readonly nor writeonly"),
        (Shader.body(access: ("readonly", ""), "y[0] = x[0];"), "buffer y: neither readonly nor writeonly"),
        (Shader.body(bindings: (0, 2), "y[0] = x[0];"), "binding 1 is missing"),
        (Shader.body(bindings: (1, 1), "y[0] = x[0];"), "binding 1 is declared twice"),
        (Shader.body(names: ("row_sum", "rowSum"), "rowSum[0] = row_sum[0];"), "two buffers share a name"),
        (Shader.body(workgroup: "local_size_x_id = 5", "y[0] = x[0];"), "constant 5 has no name"),
        (
            "layout(constant_id = 0) const double SCALE = 1.0;\n" + Shader.body("y[0] = float(x[0] * SCALE);"),
            "32 bits"
        ),
        (
            "layout(set = 1, binding = 0) readonly buffer Z { float z[]; };\n" + Shader.body("y[0] = x[0] + z[0];"),
            "set = 0"
        ),
        (
            "layout(set = 0, binding = 2) readonly buffer Z { uint n; float z[]; };\n"
                + Shader.body("y[0] = x[0] + z[n];"), "one member"
        ),
    ])
    func aBrokenRuleIsNamed(glsl: String, expected: String) throws {
        let words = try Shader(glsl).compile()
        #expect {
            try Reflection(words: words, file: "/here/test.comp")
        } throws: { error in
            "\(error)".hasPrefix("/here/test.comp:1: error: ") && "\(error)".contains(expected)
        }
    }
}
