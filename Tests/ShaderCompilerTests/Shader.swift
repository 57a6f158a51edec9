import Foundation

@testable import ShaderCompiler

/// GLSL in a file of its own, compiled as the build does.
final class Shader {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    let url: URL

    /// A file with the version and the extensions of the project's shaders, then `glsl` from line 4 on.
    init(_ glsl: String) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("fathom-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        url = folder.appendingPathComponent("test.comp")
        let head = """
            #version 460
            #extension GL_EXT_shader_explicit_arithmetic_types : require
            #extension GL_EXT_shader_16bit_storage : require

            """
        try (head + glsl).write(to: url, atomically: true, encoding: .utf8)
    }

    deinit { try? FileManager.default.removeItem(at: url.deletingLastPathComponent()) }

    func compile() throws -> [UInt32] { try Compiler(packageDirectory: Self.root).compile(url) }

    /// A shader that reads `x` and writes `y`, with what a test varies.
    static func body(
        workgroup: String = "local_size_x = 8", params: String = "",
        access: (String, String) = ("readonly", "writeonly"),
        bindings: (Int, Int) = (0, 1), names: (String, String) = ("x", "y"), _ statements: String
    ) -> String {
        """
        layout(\(workgroup)) in;
        layout(set = 0, binding = \(bindings.0)) \(access.0) buffer A { float \(names.0)[]; };
        layout(set = 0, binding = \(bindings.1)) \(access.1) buffer B { float \(names.1)[]; };
        \(params.isEmpty ? "" : "layout(push_constant) uniform Params { \(params) };")
        void main() { \(statements) }

        """
    }
}
