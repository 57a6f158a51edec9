import GPU
import Model
import Program

/// Converts times of the device's clock to the host's clock.
struct ClockAlignment {
    /// host = device · slope + offset
    private var slope = 1.0
    private var offset = 0.0
    /// Maximum error of a converted time; nil if the clocks could not be read together.
    private(set) var deviation: Double?
    private let first: (device: Double, host: Double, deviation: Double)?

    /// Reads both clocks together, if the device supports that.
    init(_ device: Device) { first = Self.best(device) }

    /// The reading with the least deviation of eight: the process may be preempted between reading the two clocks.
    private static func best(_ device: Device) -> (device: Double, host: Double, deviation: Double)? {
        guard device.profile.hasCalibratedTimestamps else { return nil }
        return (0..<8).compactMap { _ in try? device.clocks() }.min { $0.deviation < $1.deviation }
    }

    /// Called after the steps: reads the clocks again, to correct for drift. If they cannot be read, uses the largest
    /// offset for which no submission ends after the host has observed its end.
    func finished(_ submissions: [StepTimeline.Submission], _ device: Device) -> ClockAlignment {
        var result = self
        if let first, let last = Self.best(device), last.device > first.device {
            result.slope = (last.host - first.host) / (last.device - first.device)
            result.offset = first.host - first.device * result.slope
            result.deviation = max(first.deviation, last.deviation)
            return result
        }
        let bounds = submissions.compactMap { submission -> Double? in
            submission.host.first { $0.name == "wait" }.map { $0.end - submission.end }
        }
        result.offset = bounds.min() ?? 0
        return result
    }

    func host(_ deviceTime: Double) -> Double { deviceTime * slope + offset }
}
