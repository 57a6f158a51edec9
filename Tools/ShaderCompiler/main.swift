// Compiles one GLSL compute shader, validates it, reflects it and writes the Swift type that the kernels use.
//
// usage: ShaderCompiler INPUT.comp OUTPUT.swift PACKAGE_DIRECTORY
//        ShaderCompiler --list OUTPUT.swift NAME...    a Swift file with the modules of all these shaders

import Foundation

let arguments = CommandLine.arguments
let isList = arguments.count > 2 && arguments[1] == "--list"
guard isList || arguments.count == 4 else {
    FileHandle.standardError.write(
        Data("usage: ShaderCompiler INPUT.comp OUTPUT.swift PACKAGE_DIRECTORY | --list OUTPUT.swift NAME...\n".utf8))
    exit(2)
}
do {
    if isList {
        let text = SwiftWriter.list(Array(arguments[3...]))
        try text.write(to: URL(fileURLWithPath: arguments[2]), atomically: true, encoding: .utf8)
        exit(0)
    }
    let input = URL(fileURLWithPath: arguments[1])
    let compiler = Compiler(packageDirectory: URL(fileURLWithPath: arguments[3]))
    let words = try compiler.compile(input)
    let reflection = try Reflection(words: words, file: input.path)
    let source = try String(contentsOf: input, encoding: .utf8)
    let name = input.deletingPathExtension().lastPathComponent
    let swift = SwiftWriter(
        name: name, reflection: reflection, words: try strippedOfNames(words), comment: leadingComment(of: source))
    try swift.text().write(to: URL(fileURLWithPath: arguments[2]), atomically: true, encoding: .utf8)
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(1)
}

/// The `//` lines at the top of the shader, after `#version` and extensions.
func leadingComment(of source: String) -> [String] {
    var lines: [String] = []
    for line in source.split(separator: "\n", omittingEmptySubsequences: false) {
        if line.hasPrefix("//") {
            lines.append(line.dropFirst(2).trimmingCharacters(in: .whitespaces))
        } else if !lines.isEmpty || !(line.hasPrefix("#") || line.isEmpty) {
            break
        }
    }
    return lines
}
