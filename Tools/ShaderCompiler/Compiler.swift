import Foundation

/// An error whose text is what the build prints: `file:line: error: message`.
struct BuildError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Runs the GLSL compiler and the SPIR-V validator.
struct Compiler {
    let packageDirectory: URL
    var environment = ProcessInfo.processInfo.environment

    /// The SPIR-V words of a shader.
    func compile(_ input: URL) throws -> [UInt32] {
        let glslang = try tool(variable: "GLSLANG", names: ["glslang", "glslangValidator"])
        let validator = try tool(variable: "SPIRV_VAL", names: ["spirv-val"])
        let output = FileManager.default.temporaryDirectory.appendingPathComponent("fathom-\(UUID().uuidString).spv")
        defer { try? FileManager.default.removeItem(at: output) }
        let includes = input.deletingLastPathComponent().path
        let compiled = try run(
            glslang, ["--target-env", "vulkan1.3", "--quiet", "-I\(includes)", "-o", output.path, input.path])
        guard compiled.status == 0 else { throw BuildError(diagnostics(compiled.text, of: input)) }
        let checked = try run(validator, ["--target-env", "vulkan1.3", output.path])
        guard checked.status == 0 else { throw BuildError("\(input.path):1: error: spirv-val: \(checked.text)") }
        let data = try Data(contentsOf: output)
        return data.withUnsafeBytes { raw in
            (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
        }
    }

    /// The environment's choice, else what Tools/setup unpacked, else PATH's.
    private func tool(variable: String, names: [String]) throws -> String {
        var names = names
        if let chosen = environment[variable], !chosen.isEmpty {
            if chosen.contains("/") { return chosen }
            names = [chosen]
        }
        let folders =
            [packageDirectory.appendingPathComponent(".toolchain/bin").path]
            + (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        for folder in folders {
            for name in names where FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)") {
                return "\(folder)/\(name)"
            }
        }
        throw BuildError("error: no \(names.joined(separator: " or ")) found: run Tools/setup, or set \(variable)")
    }

    private func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, text: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        do { try process.run() } catch {
            throw BuildError(
                "error: \(program) does not start: run Tools/setup, or set GLSLANG and SPIRV_VAL (\(error))")
        }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    /// glslang's `ERROR: file:line: message` in the build system's `file:line: error: message`.
    private func diagnostics(_ text: String, of input: URL) -> String {
        let errors = text.split(separator: "\n").compactMap { line -> String? in
            guard line.hasPrefix("ERROR: ") else { return nil }
            let body = line.dropFirst(7)
            let parts = body.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, Int(parts[1]) != nil else { return "\(input.path):1: error: \(body)" }
            let file =
                parts[0].contains("/") ? String(parts[0]) : input.deletingLastPathComponent().path + "/" + parts[0]
            return "\(file):\(parts[1]): error:\(parts[2])"
        }
        return errors.isEmpty ? "\(input.path):1: error: the compiler failed: \(text)" : errors.joined(separator: "\n")
    }
}
