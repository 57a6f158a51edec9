import Foundation
import PackagePlugin

/// Writes the commit that is being built into a Swift file, so that a copied binary can still say what it is.
///
/// It runs before every build, and touches the file only when the commit is another one.
@main struct BuildInfoPlugin: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: Target) throws -> [Command] {
        let folder = context.pluginWorkDirectoryURL.appending(path: "generated")
        // Without git, or outside a checkout, the commit is unknown.
        let script = """
            commit=$(git -C "$1" describe --always --dirty --abbrev=12 --match= 2>/dev/null)
            [ -n "$commit" ] && value="\\"$commit\\"" || value=nil
            text="/// What the program was built from.
            enum BuildInfo {
                /// The commit, with \\"-dirty\\" if files were changed since; nil if it was not built in a checkout.
                static let commit: String? = $value
            }"
            mkdir -p "$2" && { [ "$text" = "$(cat "$2/BuildInfo.swift" 2>/dev/null)" ] || printf '%s\\n' "$text" > "$2/BuildInfo.swift"; }
            """
        return [
            .prebuildCommand(
                displayName: "Noting the commit", executable: URL(filePath: "/bin/sh"),
                arguments: [
                    "-c", script, "sh", context.package.directoryURL.path(percentEncoded: false),
                    folder.path(percentEncoded: false),
                ],
                outputFilesDirectory: folder)
        ]
    }
}
