import ArgumentParser
import GPU
import Profiler

/// Where the time goes, how far from the limit, and whether a change helped.
struct ProfileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile",
        abstract: "Times kernels on a device, by themselves or in a model's steps, and compares two profiles.",
        discussion: """
            The device's limits (copy bandwidth, arithmetic, launch) are measured in the same run; a kernel's table row says what \
            part of its limit it reaches. Without root and without a vendor's tools; what a driver does not tell is "-".

              fathom profile kernels --shapes v2-lite --html kernels.html
              fathom profile run --prompt 512 --generate 64 --trace steps.json.gz
              fathom profile compare before.json after.json
            """,
        subcommands: [ProfileKernelsCommand.self, ProfileRunCommand.self, ProfileCompareCommand.self])
}

extension ProgressLine {
    /// Runs a profiler, and then clears the progress line.
    func profile(on device: Device, _ run: () throws(ProfilerError) -> Profile) throws -> Profile {
        var profile = try measure(run)
        profile.noteShaders(of: device)
        return profile
    }

    /// Runs a measurement, and then clears the progress line.
    func measure<R>(_ run: () throws(ProfilerError) -> R) throws -> R {
        defer { clear() }
        do throws(ProfilerError) { return try run() } catch {
            if case .interrupted = error { throw ExitCode.interrupted }
            throw error
        }
    }
}
