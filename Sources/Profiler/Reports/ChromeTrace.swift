import JSON

extension Profile {
    /// The steps as Chrome trace events, a format that Perfetto opens: one process for the host with steps and
    /// activities, one for the device with dispatches. Times are relative to the earliest event.
    ///
    /// One event per line. Omits the events after the first `maximumEventCount` and notes that in `otherData`.
    public func chromeTrace(maximumEventCount: Int = 200_000) -> [UInt8] {
        ChromeTrace(self).document(maximumEventCount: maximumEventCount)
    }
}

/// The events of a trace.
private struct ChromeTrace {
    private struct Event {
        var name: String
        var category: String
        var process: Int
        var thread: Int
        /// Nanoseconds, rounded once, so that the order and nesting of events are preserved.
        var start, end: Int
        var arguments: [JSONMember]
    }

    private static let host = 1
    private static let device = 2

    private let profile: Profile
    private var events: [Event] = []
    private var threads: [(process: Int, thread: Int, name: String)] = []
    /// Number of events whose times are not finite or whose end is before their start.
    private var invalidCount = 0

    init(_ profile: Profile) {
        self.profile = profile
        let shares = profile.rows.map { $0.share(of: profile.limits) }
        add(
            profile.steps.enumerated().map { number, step in
                item(
                    step.phase, "step", step.start, step.end,
                    ["step": JSONValue(number + 1), "tokens": JSONValue(step.tokenCount)])
            }, Self.host, 1, "steps")
        add(
            profile.steps.flatMap { step in step.host.map { item($0.name, "host", $0.start, $0.end, [:]) } }, Self.host,
            100, "host")
        add(
            profile.steps.flatMap { step in
                step.dispatches.map { dispatch in
                    let row = profile.rows[dispatch.row]
                    return item(
                        row.kernel, "dispatch", dispatch.start, dispatch.end,
                        arguments(dispatch, row, shareOfLimit: shares[dispatch.row]))
                }
            }, Self.device, 1, "dispatches")
        // Enclosing events come before the events that they enclose.
        events.sort { ($0.start, $1.end) < ($1.start, $0.end) }
    }

    private func item(
        _ name: String, _ category: String, _ start: Double, _ end: Double,
        _ arguments: KeyValuePairs<String, JSONValue>
    ) -> Event? {
        // 1e16 ns is 100 days.
        guard start.isFinite, end.isFinite, abs(start) < 1e16, abs(end) < 1e16, end >= start else { return nil }
        return Event(
            name: name, category: category, process: 0, thread: 0, start: Int(start.rounded()), end: Int(end.rounded()),
            arguments: arguments.map { JSONMember($0.key, $0.value) })
    }

    private func arguments(
        _ dispatch: Profile.Dispatch, _ row: Profile.Row, shareOfLimit: Double
    ) -> KeyValuePairs<String, JSONValue> {
        // The row's bytes are the bytes of a whole use, so that the rate of a dispatch is known only if a use is one
        // dispatch.
        let seconds = (dispatch.end - dispatch.start) * 1e-9
        let rate = row.dispatchCount == 1 && seconds > 0 ? Double(row.byteCount) / seconds / 1e9 : nil
        return [
            "layer": JSONValue(dispatch.layer), "operation": JSONValue(dispatch.operation),
            "variant": JSONValue(row.variant), "shape": JSONValue(row.shape), "bytes": JSONValue(row.byteCount),
            "flops": JSONValue(row.flopCount),
            "GB/s": rate.map { JSONValue(($0 * 1000).rounded() / 1000) } ?? .null,
            "median % of limit": JSONValue((shareOfLimit * 1000).rounded() / 10),
        ]
    }

    /// Assigns each event to the first thread that is free, so that the events of a thread do not overlap.
    private mutating func add(_ items: [Event?], _ process: Int, _ firstThread: Int, _ name: String) {
        invalidCount += items.count { $0 == nil }
        var ends: [Int] = []
        for var event in items.compactMap({ $0 }).sorted(by: { ($0.start, $1.end) < ($1.start, $0.end) }) {
            let lane = ends.firstIndex { $0 <= event.start } ?? ends.count
            if lane == ends.count {
                ends.append(0)
                threads.append((process, firstThread + lane, lane == 0 ? name : "\(name) \(lane + 1)"))
            }
            ends[lane] = event.end
            (event.process, event.thread) = (process, firstThread + lane)
            events.append(event)
        }
    }

    func document(maximumEventCount: Int) -> [UInt8] {
        var metadata: [JSONValue] = []
        for (process, name) in [(Self.host, "host"), (Self.device, "device: \(profile.header.device)")]
        where threads.contains(where: { $0.process == process }) {
            metadata.append(Self.metadata("process_name", process, 0, "name", JSONValue(name)))
            metadata.append(Self.metadata("process_sort_index", process, 0, "sort_index", JSONValue(process)))
        }
        for (process, thread, name) in threads {
            metadata.append(Self.metadata("thread_name", process, thread, "name", JSONValue(name)))
            metadata.append(Self.metadata("thread_sort_index", process, thread, "sort_index", JSONValue(thread)))
        }
        let shown = events.prefix(max(0, maximumEventCount - metadata.count))
        let origin = events.first?.start ?? 0

        var bytes = Array("{\"traceEvents\":[".utf8)
        var separator = "\n"
        func append(_ event: JSONValue) {
            bytes += separator.utf8
            bytes += event.serialized().utf8
            separator = ",\n"
        }
        for event in metadata { append(event) }
        for event in shown {
            append([
                "name": JSONValue(event.name), "cat": JSONValue(event.category), "ph": "X",
                "ts": Self.microseconds(event.start - origin), "dur": Self.microseconds(event.end - event.start),
                "pid": JSONValue(event.process), "tid": JSONValue(event.thread), "args": .object(event.arguments),
            ])
        }
        bytes += "\n],\"displayTimeUnit\":\"ns\",\"otherData\":".utf8
        bytes += otherData(leftOut: events.count - shown.count).serialized().utf8
        bytes += "}\n".utf8
        return bytes
    }

    private static func metadata(
        _ name: String, _ process: Int, _ thread: Int, _ key: String, _ value: JSONValue
    ) -> JSONValue {
        [
            "name": JSONValue(name), "ph": "M", "ts": 0, "pid": JSONValue(process), "tid": JSONValue(thread),
            "args": .object([JSONMember(key, value)]),
        ]
    }

    /// Nanoseconds converted to the format's unit, with three decimals, which a double represents for weeks.
    private static func microseconds(_ nanoseconds: Int) -> JSONValue { JSONValue(Double(nanoseconds) / 1000) }

    private func otherData(leftOut: Int) -> JSONValue {
        let header = profile.header
        var members: [JSONMember] = [
            JSONMember("device", JSONValue(header.device)), JSONMember("driver", JSONValue(header.driver)),
            JSONMember("vulkan", JSONValue(header.vulkan)), JSONMember("model", JSONValue(header.model)),
            JSONMember(
                "limits", JSONValue(profile.limits.texts.map { "\($0.label) \($0.text)" }.joined(separator: ", "))),
            JSONMember("clocks", JSONValue(header.clocks.joined(separator: ", "))),
            JSONMember("shaders", .object(header.shaders.map { JSONMember($0.name, JSONValue($0.hash)) })),
            JSONMember("commit", header.commit.map { JSONValue($0) } ?? .null),
            JSONMember("command_line", JSONValue(header.commandLine.joined(separator: " "))),
            JSONMember("date", JSONValue(header.date)),
            JSONMember(
                "clock_deviation_ns", profile.overhead?.clockDeviation.map { JSONValue($0) } ?? .null),
        ]
        var missing: [String] = []
        if leftOut > 0 { missing.append("the last \(leftOut) of \(events.count) events, for size") }
        if invalidCount > 0 { missing.append("\(invalidCount) events with invalid times") }
        members.append(JSONMember("left_out", missing.isEmpty ? "nothing" : JSONValue(missing.joined(separator: "; "))))
        return .object(members)
    }
}
