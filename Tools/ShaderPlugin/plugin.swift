import Foundation
import PackagePlugin

/// Compiles every shader of the target with ShaderCompiler into a Swift file, and lists them in another.
@main struct ShaderPlugin: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let compiler = try context.tool(named: "ShaderCompiler")
        let files = try FileManager.default.contentsOfDirectory(
            at: target.directoryURL.resolvingSymlinksInPath(), includingPropertiesForKeys: nil
        )
        .sorted { $0.path < $1.path }
        let shared = files.filter { $0.pathExtension == "glsl" }
        let output = context.pluginWorkDirectoryURL
        let shaders = files.filter { $0.pathExtension == "comp" }
        let list = output.appendingPathComponent("AllShaders.swift")
        let listing = Command.buildCommand(
            displayName: "Listing the shaders", executable: compiler.url,
            arguments: ["--list", list.path] + shaders.map { $0.deletingPathExtension().lastPathComponent },
            inputFiles: [], outputFiles: [list])
        return [listing]
            + shaders.map { shader in
                let swift = output.appendingPathComponent(shader.deletingPathExtension().lastPathComponent + ".swift")
                return .buildCommand(
                    displayName: "Compiling \(shader.lastPathComponent)", executable: compiler.url,
                    arguments: [shader.path, swift.path, context.package.directoryURL.path],
                    inputFiles: [shader] + shared, outputFiles: [swift])
            }
    }
}
