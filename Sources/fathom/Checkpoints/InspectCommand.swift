import ArgumentParser
import Checkpoint
import GPU
import Loading
import Model
import Terminal

/// Prints a checkpoint's contents, and for each device the context that fits.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Says what a checkpoint holds and which context fits on which device.",
        discussion: """
            Reads config.json and the files' headers, no weights: a second for 671 billion parameters. Whether the files are whole \
            is what fathom verify says.
            """)

    @Argument(help: ArgumentHelp("The checkpoint's folder.", valueName: "dir"))
    var folder: String

    @Flag(help: "Print a JSON object.")
    var json = false

    mutating func validate() throws {
        if folder.isEmpty { throw ValidationError("expected a folder, found an empty text") }
    }

    func run() throws {
        let checkpoint = try Checkpoint(.folder(folder))
        for text in checkpoint.notes { try note("\(folder): \(text)") }
        let report = InspectReport(folder: folder, checkpoint, plans: try plans(checkpoint))
        try Output.standard.print(json ? report.json.serialized(pretty: true) + "\n" : report.text)
    }

    /// For every device that can be opened, and the CPU.
    private func plans(_ checkpoint: Checkpoint) throws -> [DevicePlan] {
        var plans: [DevicePlan] = []
        switch try VulkanDevices.look() {
        case .none(let reason): try note(reason)
        case .found(let profiles):
            for profile in profiles {
                do throws(ModelError) {
                    plans.append(
                        try DevicePlan(checkpoint, on: .vulkan("\(profile.index)")) { device in
                            VariantOptions.applyMeasured(to: device)
                        })
                } catch {
                    try note("\(profile.name): \(ErrorAdvice.line(error))")
                }
            }
        }
        return plans + [try DevicePlan(checkpoint, on: .cpu)]
    }
}
