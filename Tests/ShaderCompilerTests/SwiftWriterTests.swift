import Foundation
import Testing

@testable import ShaderCompiler

/// The Swift type that the kernels' wrappers compile against.
struct SwiftWriterTests {
    private func generate(_ glsl: String) throws -> String {
        let words = try Shader(glsl).compile()
        return SwiftWriter(
            name: "row_sum", reflection: try Reflection(words: words, file: "row_sum.comp"),
            words: try strippedOfNames(words), comment: ["y = sum of x", "", "x: [n]"]
        ).text()
    }

    @Test func allShadersAreListed() {
        let text = SwiftWriter.list(["gemm", "row_sum"])
        #expect(
            text.contains(
                "modules: [ShaderModule] = [\n        GemmShader.module,\n        RowSumShader.module,\n    ]"))
    }

    @Test func theInterfaceIsSpelledOut() throws {
        let text = try generate(
            "layout(constant_id = 2) const int SHIFT = -1;\nlayout(constant_id = 5) const uint THREADS = 1;\n"
                + "shared vec2 tile[THREADS + 1][3];\n"
                + Shader.body(
                    workgroup: "local_size_x_id = 5", params: "uint n; float scale;",
                    "tile[n][0].x = x[SHIFT]; y[n] = tile[0][1].y * scale;"))
        for line in [
            "public struct RowSumShader: ComputeShader {",
            "/// y = sum of x\n///\n/// x: [n]\n",
            "public init(shift: Int32 = Int32(bitPattern: 4294967295), threads: UInt32 = 1) {",
            "public init(n: UInt32, scale: Float) {",
            "public init(x: BufferView, y: BufferView) {",
            "bindings: [.init(name: \"x\", access: .read), .init(name: \"y\", access: .write)],",
            "constants: [.init(name: \"shift\", id: 2, defaultBits: 4294967295), "
                + ".init(name: \"threads\", id: 5, defaultBits: 1)],",
            "pushConstantByteCount: 8,",
            "workgroupSize: [.constant(id: 5, defaultBits: 1), .literal(1), .literal(1)],",
            "sharedArrays: [.init(lengths: [.operation(.add, [.constant(id: 5, defaultBits: 1), .literal(1)]), "
                + ".literal(3)], elementByteCount: 8)],",
            "capabilities: [\"shader\"],",
            "public var words: [(id: UInt32, bits: UInt32)] { [(2, UInt32(bitPattern: shift)), (5, threads)] }",
            "public var pushConstantWords: [UInt32] { [params.n, params.scale.bitPattern] }",
            "public var views: [BufferView] { [bindings.x, bindings.y] }",
        ] {
            #expect(text.contains(line), "\(line)\nin\n\(text)")
        }
    }

    /// A wrapper that still says the old name, type or order no longer compiles.
    @Test(arguments: [
        (
            Shader.body(params: "uint n;", names: ("inputs", "y"), "y[n] = inputs[0];"),
            "init(inputs: BufferView, y: BufferView)"
        ),
        (Shader.body(params: "uint rows;", "y[rows] = x[0];"), "init(rows: UInt32)"),
        (Shader.body(params: "int n;", "y[n] = x[0];"), "init(n: Int32)"),
        (Shader.body(params: "uint n; uint pitch;", "y[n] = x[pitch];"), "init(n: UInt32, pitch: UInt32)"),
        (Shader.body(params: "uint n;", bindings: (1, 0), "y[n] = x[0];"), "init(y: BufferView, x: BufferView)"),
    ])
    func aChangeOfTheShaderChangesTheType(glsl: String, expected: String) throws {
        let original = try generate(Shader.body(params: "uint n;", "y[n] = x[0];"))
        let changed = try generate(glsl)
        #expect(!original.contains(expected))
        #expect(changed.contains(expected), "\(changed)")
    }

    /// The embedded module is the compiled one without names, and its hash tells two of them apart.
    @Test func theModuleIsEmbeddedWithoutNames() throws {
        let words = try Shader(Shader.body(params: "uint n;", "y[n] = x[0];")).compile()
        let stripped = try strippedOfNames(words)
        #expect(stripped.count < words.count)
        let text = try generate(Shader.body(params: "uint n;", "y[n] = x[0];"))
        let bytes = stripped.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        #expect(text.contains("spirvBase64: \"\(Data(bytes).base64EncodedString())\""))
        func hash(_ text: String) -> Substring? { text.split(separator: "hash: ").last }
        #expect(hash(text) != hash(try generate(Shader.body(params: "uint n;", "y[n] = x[1];"))))
    }
}
