import Foundation
import JSON
import Numerics
import Testing

@testable import Profiler

/// Runs Tools/profile-calibrate with a stand-in for fathom that prints prepared comparisons.
struct CalibrationToolTests {
    @Test func ratesAreCounted() throws {
        let (output, code) = try calibrate(["--pairs", "4", "--planted", "kernel 1", "--seconds", "2", "kernel 0"])
        #expect(
            output == """
                4 pairs of one build
                  slower faster   same too noisy  kernel and shape
                       0      0      4         0  kernel 0  1 × 64
                       0      0      4         0  kernel 1  1 × 64
                4 pairs with 10% of kernel 1 repeated
                  slower faster   same too noisy  kernel and shape
                       0      0      4         0  kernel 0  1 × 64
                       4      0      0         0  kernel 1  1 × 64
                called different although nothing changed: 0 of 12 rows, 0.00% (at most 1%): met
                kernel 1 called slower, where 10% counts: 4 of 4 rows, 100.00% (at least 95%): met

                """)
        #expect(code == 0)
    }

    /// The planted kernel is not in the comparison, so that it is not found and the changed one is a false alarm.
    @Test func missedTargetsFail() throws {
        let (output, code) = try calibrate(["--pairs", "2", "--planted", "kernel 7"])
        #expect(
            output.contains("called different although nothing changed: 2 of 8 rows, 25.00% (at most 1%): NOT MET\n"))
        let last = "kernel 7 called slower, where 10% counts: 0 of 0 rows, 0.00% (at least 95%): NOT MET\n"
        #expect(output.hasSuffix(last))
        #expect(code == 1)
    }

    @Test(arguments: [["--pairs", "0"], ["--pairs"], ["--other"], ["--pairs", "1", "fails"]])
    func wrongUsageIsTold(arguments: [String]) throws {
        let (output, code) = try calibrate(arguments)
        #expect(output == "" && code == 2)
    }

    private func calibrate(_ arguments: [String]) throws -> (output: String, code: Int32) {
        let folder = FileManager.default.temporaryDirectory.appending(path: "calibrate-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var random = SeededRandom(seed: 5)
        let machine = SimulatedMachine(totalNoise: 0.01)
        let before = machine.profile(rows: 3, rounds: 10, random: &random)
        var after = machine.profile(rows: 2, rounds: 10, random: &random)
        // The tool reads JSON on one line and indented JSON.
        let same = try Profile.Comparison(before: before, after: after).json.serialized(pretty: true)
        after.rows[1].samples = after.rows[1].samples.map { $0 * 1.1 }
        let slower = try Profile.Comparison(before: before, after: after).json.serialized()
        try Data(same.utf8).write(to: folder.appending(path: "same"))
        try Data(slower.utf8).write(to: folder.appending(path: "slower"))
        let program = folder.appending(path: "fathom")
        try Data(
            """
            #!/usr/bin/env bash
            # profile kernels --json F OPTION...: keeps its options in F; profile compare --json A B
            set -e
            [[ $1 == profile && $3 == --json ]]
            if [[ $2 == kernels ]]; then
                [[ ${*: -1} != fails ]] || exit 1
                printf '%s ' "${@:5}" >"$4"
                exit
            fi
            [[ $2 == compare && $(<"$4") == "--shapes small "* && $(<"$4") != *--planted* ]]
            if [[ $(<"$5") == *"--planted kernel"* ]]; then cat "$(dirname "$0")/slower"; exit 2; fi
            cat "$(dirname "$0")/same"
            exit 3
            """.utf8
        ).write(to: program)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)

        let tool = URL(fileURLWithPath: #filePath).appending(path: "../../../Tools/profile-calibrate").standardized
        let process = Process()
        process.executableURL = tool
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["FATHOM": program.path]) { $1 }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (String(decoding: output, as: UTF8.self), process.terminationStatus)
    }
}
