import Foundation
import Testing

@testable import ShaderCompiler

/// What the compiler's and the validator's failures become.
struct CompilerTests {
    private func message(_ glsl: String) throws -> (text: String, file: String) {
        let shader = try Shader(glsl)
        let error = try #require(throws: BuildError.self) { try shader.compile() }
        return (error.description, shader.url.path)
    }

    @Test func anErrorInGLSLHasItsFileAndLine() throws {
        let (text, file) = try message(
            """
            layout(local_size_x = 8) in;
            layout(set = 0, binding = 0) writeonly buffer B { float y[]; };
            void main() {
                y[0] = nowhere;
            }
            """)
        #expect(text.hasPrefix("\(file):7: error: 'nowhere' : undeclared identifier"), "\(text)")
    }

    @Test func anErrorInAnIncludedFileHasThatFilesNameAndLine() throws {
        let shader = try Shader(
            "#extension GL_GOOGLE_include_directive : require\n#include \"common_part.glsl\"\n"
                + Shader.body("y[0] = twice(x[0]);"))
        let part = shader.url.deletingLastPathComponent().appendingPathComponent("common_part.glsl")
        try "float twice(float v) {\n    return v * nothing;\n}\n".write(to: part, atomically: true, encoding: .utf8)
        let error = try #require(throws: BuildError.self) { try shader.compile() }
        #expect(error.description.hasPrefix("\(part.path):2: error: 'nothing'"), "\(error)")
    }

    @Test func aMissingCompilerIsNamedWithWhatToDo() throws {
        let empty = try Shader("").url.deletingLastPathComponent()
        for (variable, names) in [("GLSLANG", "glslang or glslangValidator"), ("SPIRV_VAL", "spirv-val")] {
            // The other one is there: an executable file, which is not started.
            let environment = ["PATH": "/nowhere", variable == "GLSLANG" ? "SPIRV_VAL" : "GLSLANG": "/bin/true"]
            let compiler = Compiler(packageDirectory: empty, environment: environment)
            let error = try #require(throws: BuildError.self) { try compiler.compile(empty) }
            #expect(error.description == "error: no \(names) found: run Tools/setup, or set \(variable)")
        }
    }

    @Test func aChosenCompilerThatDoesNotStartIsNamed() throws {
        let shader = try Shader(Shader.body("y[0] = x[0];"))
        var compiler = Compiler(packageDirectory: Shader.root)
        compiler.environment["GLSLANG"] = "/nowhere/glslang"
        let error = try #require(throws: BuildError.self) { try compiler.compile(shader.url) }
        #expect(error.description.hasPrefix("error: /nowhere/glslang does not start: run Tools/setup"))
    }

    @Test func aCompilerThatFailsWithoutAWordIsAnError() throws {
        let shader = try Shader(Shader.body("y[0] = x[0];"))
        var compiler = Compiler(packageDirectory: Shader.root)
        compiler.environment["GLSLANG"] = "/bin/false"
        let error = try #require(throws: BuildError.self) { try compiler.compile(shader.url) }
        #expect(error.description.hasPrefix("\(shader.url.path):1: error: the compiler failed"))
    }
}
