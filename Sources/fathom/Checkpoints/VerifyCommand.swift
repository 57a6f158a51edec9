import ArgumentParser
import Checkpoint
import JSON
import Loading
import Model
import Numerics
import Terminal

/// Checks that a checkpoint's files are complete and undamaged.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks a checkpoint's files: nothing missing, nothing extra, nothing damaged.",
        discussion: """
            Looks at every file's header, every tensor's place, shape and type against config.json, and every element: NaN, \
            infinity, unused FP8 codes, scales that are zero or negative. All that is wrong is listed, a line each: missing, extra, \
            different (from config.json or the index) or damaged; the file or tensor; what was expected and what was found.

            Exit codes: 0 all is right; 1 something is wrong, or nothing could be checked.
            """)

    @Argument(help: ArgumentHelp("The checkpoint's folder.", valueName: "dir"))
    var folder: String

    @Option(
        help: ArgumentHelp(
            "Compare the files' SHA-256 with these, a line each as sha256sum writes them.", valueName: "file"))
    var checksums: String?

    @Flag(help: "Read no weights: only names, headers and config.json.")
    var structure = false

    @Flag(help: "Print a JSON object.")
    var json = false

    mutating func validate() throws {
        if folder.isEmpty { throw ValidationError("expected a folder, found an empty text") }
        if structure, checksums != nil { throw ValidationError("expected --structure or --checksums, found both") }
    }

    func run() throws {
        let list = try checksums.map { try ChecksumList(Input.file($0), name: $0) }
        let survey = try CheckpointSurvey(.folder(folder))
        let problems = try survey.problems + (structure ? [] : read(survey, list))
        for text in survey.notes { try note("\(folder): \(text)") }
        try Output.standard.print(json ? report(survey, problems) : text(survey, problems))
        if !problems.isEmpty { throw ExitCode.failure }
    }

    private func read(_ survey: CheckpointSurvey, _ list: ChecksumList?) throws -> [CheckpointProblem] {
        Interrupt.install()
        defer { Interrupt.uninstall() }
        let bar = LoadingBar(name: folder)
        let problems = survey.read(list) { byteCount, total in
            bar.show(LoadProgress(loadedByteCount: byteCount, totalByteCount: total))
            return !Interrupt.isRequested
        }
        bar.clear()
        guard let problems else { throw ExitCode.interrupted }
        return problems
    }

    private func text(_ survey: CheckpointSurvey, _ problems: [CheckpointProblem]) -> String {
        let lines = problems.map { problem in
            let text = ErrorAdvice.line(problem.error)
            // A tensor's name does not say where it is.
            let place = problem.file.flatMap { text.contains($0) ? nil : " (\($0.printable))" } ?? ""
            return "\(problem.kind.rawValue.padded(to: 10))\(text)\(place)\n"
        }
        let result =
            problems.isEmpty
            ? structure ? "all is in its place" : "all is right"
            : "\(problems.count) \(problems.count == 1 ? "problem" : "problems")"
        return lines.joined() + "\(folder.printable): \(size(survey)): \(result)\n"
    }

    private func size(_ survey: CheckpointSurvey) -> String {
        "\(survey.shardCount) \(survey.shardCount == 1 ? "file" : "files"), \(survey.tensorCount) tensors, "
            + byteText(survey.byteCount)
    }

    private func report(_ survey: CheckpointSurvey, _ problems: [CheckpointProblem]) -> String {
        let list = problems.map { problem -> JSONValue in
            func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
            return .object([
                JSONMember("kind", .string(problem.kind.rawValue)), JSONMember("file", text(problem.file)),
                JSONMember("tensor", text(problem.tensor)), JSONMember("subject", .string(problem.error.subject)),
                JSONMember("expected", .string(problem.error.expected)),
                JSONMember("found", .string(problem.error.found)),
                JSONMember("advice", text(problem.error.advice.map(ErrorAdvice.text))),
                JSONMember(
                    "first_bad_element", problem.badElements.map { .array($0.first.map { .init($0) }) } ?? .null),
                JSONMember("bad_elements", problem.badElements.map { .init($0.count) } ?? .null),
            ])
        }
        return JSONValue.object([
            JSONMember("ok", .init(problems.isEmpty)), JSONMember("weights_read", .init(!structure)),
            JSONMember("files", .init(survey.shardCount)),
            JSONMember("tensors", .init(survey.tensorCount)), JSONMember("bytes", .init(survey.byteCount)),
            JSONMember("notes", .array(survey.notes.map { .string($0) })), JSONMember("problems", .array(list)),
        ]).serialized(pretty: true) + "\n"
    }
}
