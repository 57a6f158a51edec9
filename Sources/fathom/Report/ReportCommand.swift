import ArgumentParser
import Glibc
import Profiler
import Terminal

/// Joins what the parts of Tools/gpu-report printed into one JSON document and one Markdown page.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Joins the parts that Tools/gpu-report ran.", shouldDisplay: false)

    @Argument(help: ArgumentHelp("The parts' folder.", valueName: "dir"))
    var folder: String

    @Option(help: ArgumentHelp("The report's folder.", valueName: "dir"))
    var output: String

    func run() throws {
        let report = try Report(folder: folder, commit: BuildInfo.commit, date: isoText(time(nil)))
        let path = "\(output)/\(report.fileName)"
        try AtomicFile.write(report.json.serialized(pretty: true) + "\n", to: path + ".json")
        try AtomicFile.write(report.markdown, to: path + ".md")
        try Output.standard.print("\(path).json\n\(path).md\n")
    }
}
