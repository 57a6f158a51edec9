import GPU
import Model

/// Turns times of the device's clock into the host's.
struct ClockAlignment {
    /// host = device · slope + offset
    private var slope = 1.0
    private var offset = 0.0
    /// How far a turned time may be from the truth; nil where the clocks were not read together.
    private(set) var deviation: Double?
    private let first: (device: Double, host: Double, deviation: Double)?

    /// Reads both clocks where the device offers that.
    init(_ device: Device) { first = Self.best(device) }

    /// The reading with the least deviation of some: another process may come between two clocks.
    private static func best(_ device: Device) -> (device: Double, host: Double, deviation: Double)? {
        guard device.profile.hasCalibratedTimestamps else { return nil }
        return (0..<8).compactMap { _ in try? device.clocks() }.min { $0.deviation < $1.deviation }
    }

    /// After the steps: reads the clocks again, so that one which runs slower is followed. Where they cannot be read, the
    /// device's work is put as early as no step ends after the host had seen it end.
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
