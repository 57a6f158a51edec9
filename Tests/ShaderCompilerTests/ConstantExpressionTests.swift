import Testing

@testable import ShaderCompiler

/// Sizes of workgroups and shared memory as functions of the specialisation constants.
struct ConstantExpressionTests {
    private static let constants = """
        layout(constant_id = 0) const uint ROWS = 4;
        layout(constant_id = 3) const uint STEP = 8;
        layout(constant_id = 5) const bool IS_WIDE = false;

        """

    private func reflect(_ glsl: String) throws -> Reflection {
        try Reflection(words: try Shader(Self.constants + glsl).compile(), file: "test.comp")
    }

    /// The bytes of a shader with these shared variables, at these constants.
    private func bytes(_ declarations: String, use: String, rows: UInt32, step: UInt32, wide: UInt32 = 0) throws -> Int
    {
        let reflection = try reflect(declarations + "\n" + Shader.body("\(use) = x[0]; y[0] = \(use);"))
        let constants: [(id: UInt32, bits: UInt32)] = [(0, rows), (3, step), (5, wide)]
        return reflection.sharedArrays.reduce(0) { $0 + $1.byteCount(constants) }
    }

    /// Each length, and the number that it should be for 12 rows in steps of 5.
    @Test(arguments: [
        ("64", 64), ("ROWS", 12), ("ROWS * 3", 36), ("ROWS + STEP * 2", 22), ("ROWS * STEP - 7", 53),
        ("ROWS / STEP", 2), ("(ROWS + STEP - 1) / STEP * STEP", 15), ("ROWS % STEP", 2), ("ROWS << 2", 48),
        ("ROWS >> 1", 6), ("ROWS > STEP ? 3 : 2", 3), ("ROWS < STEP ? 3 : 2", 2), ("ROWS >= 12u ? ROWS : 1u", 12),
        ("ROWS <= 11u ? ROWS : 1u", 1), ("ROWS == 12u ? 7 : 9", 7), ("ROWS != 12u ? 7 : 9", 9),
        ("IS_WIDE ? 2 : 1", 1), ("!IS_WIDE ? 2 : 1", 2), ("ROWS > 1u && STEP > 5u ? 2 : 1", 1),
        ("ROWS > 99u || STEP > 4u ? 2 : 1", 2),
    ])
    func aLengthFollowsTheConstants(length: String, expected: Int) throws {
        let declaration = "const uint LENGTH = \(length); shared float tile[LENGTH];"
        #expect(try bytes(declaration, use: "tile[0]", rows: 12, step: 5) == 4 * expected)
    }

    @Test func aConstantThatIsNotListedHasItsDefault() throws {
        let reflection = try reflect(
            "shared float tile[ROWS * STEP];\n" + Shader.body("tile[0] = x[0]; y[0] = tile[1];"))
        #expect(reflection.sharedArrays.map { $0.byteCount([]) } == [4 * 4 * 8])
        #expect(reflection.sharedArrays.map { $0.byteCount([(id: 3, bits: 2)]) } == [4 * 4 * 2])
    }

    /// Dimensions multiply, members and variables add up, and every element type has its own size.
    @Test func arraysStructuresAndVectorsAreMeasured() throws {
        #expect(try bytes("shared float t[ROWS][STEP][3];", use: "t[0][0][0]", rows: 2, step: 7) == 4 * 2 * 7 * 3)
        #expect(try bytes("shared vec4 t[ROWS][2];", use: "t[0][0].x", rows: 3, step: 1) == 16 * 3 * 2)
        let halves = try reflect(
            "shared f16vec4 t[STEP];\n" + Shader.body("t[0].x = float16_t(x[0]); y[0] = float(t[1].x);"))
        #expect(halves.sharedArrays.map { $0.byteCount([(id: 3, bits: 9)]) } == [8 * 9])
        #expect(
            try bytes(
                "struct Pair { float a[STEP]; uvec2 b; }; shared Pair t[ROWS]; shared uint n;",
                use: "n = 1u; t[0].b = uvec2(n); t[0].a[0]", rows: 6, step: 5) == 6 * (4 * 5 + 8) + 4)
    }

    @Test func withoutSharedVariablesThereAreNoBytes() throws {
        #expect(try reflect(Shader.body("y[0] = x[0];")).sharedArrays.isEmpty)
    }

    @Test func aWorkgroupsSizeIsLiteralOrAConstant() throws {
        let literal = try reflect(Shader.body(workgroup: "local_size_x = 32, local_size_y = 2", "y[0] = x[0];"))
        #expect(literal.workgroupSize == [.literal(32), .literal(2), .literal(1)])
        let constant = try reflect(
            "layout(constant_id = 6) const uint THREADS = 1;\n"
                + Shader.body(workgroup: "local_size_x_id = 6, local_size_y = 4", "y[0] = x[0];"))
        #expect(constant.workgroupSize == [.constant(id: 6, defaultBits: 1), .literal(4), .literal(1)])
        #expect(constant.workgroupSize[0].value([(id: 6, bits: 96)]) == 96)
    }

    /// Sizes that reflection cannot compute are errors, not zeros.
    @Test(arguments: [
        ("shared mat4 grid; ", "grid[0][0]", "shared grid: expected arrays"),
        (
            "layout(constant_id = 6) const int N = 4; shared float tile[N / 2];", "tile[0]",
            "shared tile: expected arrays"
        ),
    ])
    func anUnknownSizeIsNamed(declaration: String, use: String, expected: String) throws {
        let error = try #require(throws: BuildError.self) {
            try bytes(declaration, use: use, rows: 1, step: 1)
        }
        #expect(error.description.hasPrefix("test.comp:1: error: ") && error.description.contains(expected), "\(error)")
    }
}
