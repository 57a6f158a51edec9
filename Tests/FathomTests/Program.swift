import Foundation
import Testing

/// The program itself, run as a user does.
enum Program {
    struct Result {
        var status: Int32
        var output: String
        var errors: String

        var lines: [String] { output.split(separator: "\n").map(String.init) }
    }

    /// The binary of this build, which stands beside the tests' own, or the one that the environment's FATHOM names.
    static let url: URL = {
        if let path = ProcessInfo.processInfo.environment["FATHOM"] { return URL(fileURLWithPath: path) }
        let tests =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("fathom")
    }()

    static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures")

    /// Runs the program to its end with `input` on its standard input.
    static func run(
        _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> Result {
        let process = try start(arguments, environment: environment)
        let writer = process.input
        let data = Data(input.utf8)
        // From another thread: the program may write before it has read everything.
        Thread.detachNewThread {
            try? writer.write(contentsOf: data)
            try? writer.close()
        }
        return process.finish()
    }

    /// Runs the program as a user who may read what all may read, which root never is.
    static func runUnprivileged(_ arguments: [String]) throws -> Result {
        guard getuid() == 0 else { return try run(arguments) }
        // The build's folder may be closed to others.
        let folder = try TemporaryFolder()
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
        let copy = folder.path + "/fathom"
        // A separate process makes the copy. If this process wrote it, a child that another test starts at the same time would
        // inherit the open descriptor, and the system would refuse to run the copy ("Text file busy").
        let copying = try Process.run(URL(fileURLWithPath: "/bin/cp"), arguments: [url.path, copy])
        copying.waitUntilExit()
        return try start(
            ["--reuid=65534", "--regid=65534", "--clear-groups", copy] + arguments,
            program: URL(fileURLWithPath: "/usr/bin/setpriv")
        ).finish()
    }

    /// A program under way.
    final class Running: @unchecked Sendable {
        let process = Process()
        let input: FileHandle
        let output: FileHandle
        private var errors = Data()
        private let errorsRead = DispatchSemaphore(value: 0)

        fileprivate init(_ program: URL, _ arguments: [String], environment: [String: String]) throws {
            let (standardInput, standardOutput, standardError) = (Pipe(), Pipe(), Pipe())
            process.executableURL = program
            process.arguments = arguments
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
            process.standardInput = standardInput
            process.standardOutput = standardOutput
            process.standardError = standardError
            input = standardInput.fileHandleForWriting
            output = standardOutput.fileHandleForReading
            try process.run()
            Thread.detachNewThread { [self] in
                errors = standardError.fileHandleForReading.readDataToEndOfFile()
                errorsRead.signal()
            }
        }

        /// Reads what is left and waits for the end.
        func finish(after start: String = "") -> Result {
            let rest = String(decoding: output.readDataToEndOfFile(), as: UTF8.self)
            errorsRead.wait()
            process.waitUntilExit()
            // A signal ends a program as a shell reports it.
            let status =
                process.terminationReason == .uncaughtSignal
                ? 128 + process.terminationStatus : process.terminationStatus
            return Result(status: status, output: start + rest, errors: String(decoding: errors, as: UTF8.self))
        }
    }

    static func start(
        _ arguments: [String], environment: [String: String] = [:], program: URL = Program.url
    ) throws -> Running {
        signal(SIGPIPE, SIG_IGN)
        return try Running(program, arguments, environment: environment)
    }
}

/// A folder that goes when the test is done.
final class TemporaryFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("fathom-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    var path: String { url.path }

    /// A file in the folder, and its path.
    func write(_ name: String, _ data: Data) throws -> String {
        let file = url.appendingPathComponent(name)
        try data.write(to: file)
        return file.path
    }

    func write(_ name: String, _ text: String) throws -> String { try write(name, Data(text.utf8)) }

    /// A folder with DeepSeek-V3's tokenizer and its configuration.
    static func withTokenizer() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let unpack = Process()
        unpack.executableURL = URL(fileURLWithPath: "/bin/sh")
        unpack.arguments = [
            "-c",
            "gzip -dc \"$1/tokenizer.json.gz\" > \"$2/tokenizer.json\" && cp \"$1/tokenizer_config.json\" \"$2/\"",
            "sh",
            Program.fixtures.appendingPathComponent("tokenizers/v3").path, folder.path,
        ]
        try unpack.run()
        unpack.waitUntilExit()
        try #require(unpack.terminationStatus == 0)
        return folder
    }
}
