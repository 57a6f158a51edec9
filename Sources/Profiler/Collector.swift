import GPU
import Kernels
import Model
import Numerics

/// Turns recorded submissions into a profile's rows and steps.
struct Collector {
    let device: Device
    let alignment: ClockAlignment
    let limits: Profile.Limits

    private struct Key: Hashable { var kernel, variant, shape: String }

    func collect(_ recorded: [RunProfiler.Recorded], into profile: inout Profile) {
        guard let origin = recorded.first?.submission.host.first?.start else { return }
        var rows: [Key: Int] = [:]
        var gaps: [[Double]] = []
        for item in recorded {
            let submission = item.submission
            var step = Profile.Step(
                phase: item.phase.rawValue, tokenCount: item.tokenCount,
                start: (submission.host.first?.start ?? origin) - origin,
                end: (submission.host.last?.end ?? origin) - origin,
                deviceStart: alignment.host(submission.start) - origin,
                deviceEnd: alignment.host(submission.end) - origin, dispatches: [],
                host: submission.host.map {
                    Profile.Span(name: $0.name, start: $0.start - origin, end: $0.end - origin)
                }
            )
            var previous: Double?
            for use in submission.uses {
                guard let first = use.dispatches.first else { continue }
                let key = Key(
                    kernel: use.kernel, variant: variantText(shader: first.shader, constants: first.constants),
                    shape: "\(item.phase.rawValue) \(use.summary)")
                let row = rows[key] ?? profile.rows.count
                if row == profile.rows.count {
                    rows[key] = row
                    gaps.append([])
                    profile.rows.append(
                        Profile.Row(
                            kernel: key.kernel, variant: key.variant, shape: key.shape,
                            dispatchCount: use.dispatches.count, byteCount: use.cost.byteCount,
                            flopCount: use.cost.flopCount, samples: [], roundSizes: [], yardsticks: [],
                            code: compiledCode(shader: first.shader, constants: first.constants, on: device)))
                }
                var time = 0.0
                for dispatch in use.dispatches {
                    // A dispatch that began while the one before still ran has the time from that one's end.
                    let start = max(dispatch.start, previous ?? dispatch.start)
                    if let previous { gaps[row].append(start - previous) }
                    let end = max(dispatch.end, start)
                    time += max(0, end - start - limits.emptyPairNanoseconds)
                    previous = end
                    step.dispatches.append(
                        Profile.Dispatch(
                            layer: use.place, operation: use.operation, row: row, start: alignment.host(start) - origin,
                            end: alignment.host(end) - origin))
                }
                profile.rows[row].samples.append(time)
            }
            profile.steps.append(step)
        }
        for row in profile.rows.indices {
            profile.rows[row].roundSizes = [profile.rows[row].samples.count]
            profile.rows[row].gap = gaps[row].isEmpty ? nil : gaps[row].reduce(0, +) / Double(gaps[row].count)
        }
    }
}

extension Profile {
    /// Of the steps' device time, what lies in dispatches or in the gaps before them.
    var attributedShare: Double {
        var (attributed, whole) = (0.0, 0.0)
        for step in steps {
            whole += step.deviceEnd - step.deviceStart
            guard var last = step.dispatches.first?.start else { continue }
            for dispatch in step.dispatches {
                attributed += max(0, dispatch.end - max(last, dispatch.start)) + max(0, dispatch.start - last)
                last = max(last, dispatch.end)
            }
        }
        return whole > 0 ? min(attributed / whole, 1) : 1
    }
}
