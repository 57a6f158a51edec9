import ArgumentParser
import Files
import Glibc
import JSON
import Profiler
import Terminal

/// Where a profile goes besides its table on stdout.
struct ProfileOutputs: ParsableArguments {
    @Option(help: ArgumentHelp("Everything, with the raw samples (Tools/profile.schema.json).", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("The table's rows.", valueName: "file"))
    var csv: String?

    @Option(help: ArgumentHelp("One page with pictures and the table, which needs no network.", valueName: "file"))
    var html: String?

    @Option(help: ArgumentHelp("The roofline alone.", valueName: "file"))
    var svg: String?

    @Option(
        help: ArgumentHelp(
            "The column to sort the table by: \(Profile.Column.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "column"),
        transform: { text in
            guard let column = Profile.Column(rawValue: text) else {
                let known = Profile.Column.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("expected one of \(known), found \(text)")
            }
            return column
        })
    var sort = Profile.Column.share

    @Option(help: ArgumentHelp("Show the kernels whose names hold this text; may be given again.", valueName: "name"))
    var filter: [String] = []

    /// Files that cannot be written should not cost a measurement.
    func check(_ more: [String?] = []) throws {
        for path in [json, csv, html, svg] + more {
            guard let path else { continue }
            let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
            guard access(folder, W_OK | X_OK) == 0 else {
                throw CommandError("\(path): expected a folder that can be written to, found: \(SystemError.last)")
            }
        }
    }

    func write(_ profile: Profile) throws {
        if let json { try AtomicFile.write(profile.json.serialized() + "\n", to: json) }
        if let csv { try AtomicFile.write(profile.csv, to: csv) }
        if let html { try AtomicFile.write(profile.page, to: html) }
        if let svg { try AtomicFile.write(profile.roofline, to: svg) }
        try Output.standard.print(profile.table(sortedBy: sort, matching: filter))
    }
}
