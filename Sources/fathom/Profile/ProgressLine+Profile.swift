import ArgumentParser
import GPU
import Profiler

extension ProgressLine {
    /// Runs a profiler and takes the line away.
    func profile(on device: Device, _ run: () throws(ProfilerError) -> Profile) throws -> Profile {
        var profile = try measure(run)
        profile.noteShaders(of: device)
        return profile
    }

    /// Runs what measures, and takes the line away.
    func measure<R>(_ run: () throws(ProfilerError) -> R) throws -> R {
        defer { clear() }
        do throws(ProfilerError) { return try run() } catch {
            if case .interrupted = error { throw ExitCode.interrupted }
            throw error
        }
    }
}
