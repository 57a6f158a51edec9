import ArgumentParser
import JSON
import Profiler
import Terminal

/// Whether a change made kernels faster.
struct ProfileCompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Compares two profiles kernel by kernel: faster, slower, same or too noisy.",
        discussion: """
            A change counts if the Mann-Whitney test on the rounds' medians finds it (p < 0.005), it is at least the smallest \
            effect (or two launches, where that is more: launching differs between runs), and its interval excludes half of that. Times are in units of the yardstick that ran beside each round, so that \
            a machine that is slower as a whole does not count.

            Exit codes: 0 nothing is slower; 2 something is; 3 nothing is, but kernels are too noisy to tell or are missing.
            """)

    @Argument(help: ArgumentHelp("The earlier profile, from --json.", valueName: "before"))
    var before: String

    @Argument(help: ArgumentHelp("The later one.", valueName: "after"))
    var after: String

    @Option(parsing: .unconditional, help: ArgumentHelp("The smallest effect that counts, in percent.", valueName: "%"))
    var effect = 5.0

    @Flag(help: "Compare profiles of different devices all the same.")
    var force = false

    @Flag(help: "Print a JSON object.")
    var json = false

    @Flag(help: "Print the rows as CSV.")
    var csv = false

    mutating func validate() throws {
        guard effect > 0, effect <= 1000 else {
            throw ValidationError("--effect: expected more than 0 and at most 1000, found \(effect)")
        }
        if json && csv { throw ValidationError("expected --json or --csv, found both") }
    }

    func run() throws {
        let comparison = try Profile.Comparison(
            before: try read(before), after: try read(after), smallestEffect: effect / 100, force: force)
        if json {
            try Output.standard.write(comparison.json.serialized(pretty: true) + "\n")
        } else if csv {
            try Output.standard.write(comparison.csv)
        } else {
            try Output.standard.print(comparison.table)
        }
        if comparison.exitCode != 0 { throw ExitCode(comparison.exitCode) }
    }

    private func read(_ path: String) throws -> Profile {
        try Profile(JSONField(parsing: try Input.file(path), name: path))
    }
}
