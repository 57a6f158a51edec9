import JSON
import Testing

@testable import Profiler

struct ChromeTraceTests {
    /// A "complete event" (phase X) of the format.
    private struct Event {
        var name: String
        var process, thread: Int
        /// Nanoseconds.
        var start, end: Int
        var arguments: JSONField
    }

    /// Reads a trace strictly: all keys are known and have the right type; metadata comes first, then events in
    /// ascending order of time; no time is negative; every process and thread has a name; events of a thread are nested
    /// or disjoint.
    private func events(_ bytes: [UInt8]) throws -> (events: [Event], other: JSONField, count: Int) {
        let document = try JSONField(parsing: bytes, name: "trace")
        #expect(try document.object().map(\.key) == ["traceEvents", "displayTimeUnit", "otherData"])
        #expect(try document["displayTimeUnit"].string() == "ns")
        var events: [Event] = []
        var names: Set<String> = []
        for field in try document["traceEvents"].array() {
            let keys = try Set(field.object().map(\.key))
            let (process, thread) = (try field["pid"].int(), try field["tid"].int())
            switch try field["ph"].string() {
            case "M":
                #expect(events.isEmpty, "metadata comes first")
                #expect(keys == ["name", "ph", "ts", "pid", "tid", "args"])
                switch try field["name"].string() {
                case "process_name":
                    #expect(try !field["args"]["name"].string().isEmpty)
                    names.insert("\(process)")
                case "thread_name":
                    #expect(try !field["args"]["name"].string().isEmpty)
                    names.insert("\(process)/\(thread)")
                case "process_sort_index", "thread_sort_index": _ = try field["args"]["sort_index"].int()
                case let other: Issue.record("metadata \(other)")
                }
            case "X":
                #expect(keys == ["name", "cat", "ph", "ts", "dur", "pid", "tid", "args"])
                #expect(try ["step", "host", "dispatch"].contains(field["cat"].string()))
                let (start, duration) = (try field["ts"].double(), try field["dur"].double())
                #expect(start >= 0 && duration >= 0)
                _ = try field["args"].object()
                let end = Int((start * 1000).rounded()) + Int((duration * 1000).rounded())
                events.append(
                    Event(
                        name: try field["name"].string(), process: process, thread: thread,
                        start: Int((start * 1000).rounded()), end: end, arguments: try field["args"]))
            case let other: Issue.record("phase \(other)")
            }
        }
        #expect(zip(events, events.dropFirst()).allSatisfy { $0.start <= $1.start })
        var open: [String: [Int]] = [:]
        for event in events {
            let thread = "\(event.process)/\(event.thread)"
            #expect(names.contains(thread) && names.contains("\(event.process)"))
            while let end = open[thread]?.last, end <= event.start { open[thread]?.removeLast() }
            if let end = open[thread]?.last { #expect(event.end <= end, "\(event) overlaps its thread's last") }
            open[thread, default: []].append(event.end)
        }
        return (events, try document["otherData"], try document["traceEvents"].array().count)
    }

    @Test(arguments: AnyProfile.allCases)
    func itIsATrace(_ name: AnyProfile) throws {
        let profile = name.profile
        let (events, other, _) = try events(profile.chromeTrace())
        func valid(_ start: Double, _ end: Double) -> Bool {
            start.isFinite && end.isFinite && end >= start && abs(end) < 1e16
        }
        let expected = profile.steps.reduce(0) { count, step in
            count + (valid(step.start, step.end) ? 1 : 0) + step.host.count { valid($0.start, $0.end) }
                + step.dispatches.count { valid($0.start, $0.end) }
        }
        #expect(events.count == expected)
        let all = profile.steps.reduce(0) { $0 + 1 + $1.host.count + $1.dispatches.count }
        let leftOut = try other["left_out"].string()
        #expect(
            leftOut
                == (all == expected
                    ? "nothing" : "\(all - expected) events with invalid times"))
    }

    @Test func events() throws {
        let profile = Profile.sample()
        let (events, other, _) = try events(profile.chromeTrace())
        #expect(events.count == 5 + 20 + 30)
        // The trace begins with the first step's "record" activity, at 2 µs of the sample profile.
        #expect(events[0].name == "prefill" && events[0].start == 0)
        let dispatch = try #require(events.first { $0.name == "linear" })
        #expect(dispatch.end - dispatch.start == 700_800)
        #expect(try dispatch.arguments["layer"].string() == "layer 0")
        #expect(try dispatch.arguments["operation"].string() == "attention")
        #expect(try dispatch.arguments["shape"].string() == "prefill q, 512 × 2048 to 3072, fp8E4M3")
        #expect(try dispatch.arguments["bytes"].int() == 16_777_216)
        #expect(try dispatch.arguments["GB/s"].double() == 23.94)
        #expect(try dispatch.arguments["median % of limit"].double() == 46)
        #expect(try other["device"].string() == "Example GPU")
        #expect(try other["clock_deviation_ns"].double() == 40)
    }

    @Test func overlappingEventsGetSeparateThreads() throws {
        var profile = Profile.sample()
        for place in profile.steps[0].dispatches.indices { profile.steps[0].dispatches[place].end += 500_000 }
        let (events, _, _) = try events(profile.chromeTrace())
        #expect(Set(events.filter { $0.process == 2 }.map(\.thread)).count > 1)
    }

    @Test func theCapHolds() throws {
        let profile = Profile.large(steps: 3)
        let (events, other, count) = try events(profile.chromeTrace(maximumEventCount: 500))
        #expect(count == 500)
        let total = profile.steps.reduce(0) { $0 + 1 + $1.host.count + $1.dispatches.count }
        #expect(try other["left_out"].string() == "the last \(total - events.count) of \(total) events, for size")
        let none = try self.events(profile.chromeTrace(maximumEventCount: 0))
        #expect(none.events.isEmpty)
    }
}
