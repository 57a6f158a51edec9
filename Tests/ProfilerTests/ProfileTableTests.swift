import Testing

@testable import Profiler

struct ProfileTableTests {
    private func lines(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    @Test(arguments: AnyProfile.allCases)
    func everyLineFits(_ name: AnyProfile) {
        let profile = name.profile
        for column in Profile.Column.allCases {
            for line in lines(profile.table(sortedBy: column)) {
                #expect(line.count <= 120, "\(name), by \(column): \(line)")
                #expect(!line.unicodeScalars.contains { $0.value < 32 }, "\(name): \(line)")
                #expect(!line.contains("nan") && !line.contains("inf "), "\(name): \(line)")
            }
        }
        let long = [String(repeating: "missing ", count: 40)]
        #expect(lines(profile.table(matching: long)).allSatisfy { $0.count <= 120 })
    }

    @Test func oneRow() {
        let expected = """
            device     Example GPU (discrete), 24 GiB, 48 KiB shared, subgroups of 32
            driver     example 1.2.3, Vulkan 1.3.289
            clocks     device 1800 MHz
            limits     copy 400 GB/s, FP32 20.0 TFLOP/s, FP16 not available, matrix units not available, launch 2.00 µs,
                       marks 150 ns
            model      sample
            commit     abcdef0
            command    fathom profile run
            date       2026-11-21T08:00:00Z
            shaders    gemv 01234567, rms_norm 00000000

            kernel  variant  shape
             dispatches    total  of all     mean      min      p50      p99     GB/s  GFLOP/s  of limit    bound by       gap
            \(String(repeating: "─", count: 120))
            linear  gemv 3   decode q, 1 × 2048 to 3072
                      4   160 µs  100.0%  40.0 µs  39.0 µs  40.0 µs  41.0 µs      200      400     50.0%      memory         -
            registers, spills: not available on this device

            """
        let last =
            "next limit: linear, decode q, 1 × 2048 to 3…: 100.0% of all time at 50.0% of the copy bandwidth; "
            + "reaching it saves 50.0%"
        #expect(last.count == 120)
        #expect(Profile.oneRow().table() == "\(expected)\n\(last)\n")
    }

    @Test func aRunShowsOverheadAndTimeByLayer() {
        let text = Profile.sample().table()
        #expect(
            text.contains("measuring: 99.8% of device time attributed; overhead 1.0% of a decode step (101 µs marked"))
        #expect(text.contains("host and device clocks within 40.0 ns"))
        #expect(text.contains("\nlayers 0–2 "))
        #expect(text.contains("\n  attention: linear "))
        #expect(text.contains("\nbetween dispatches "))
        #expect(text.hasSuffix("\nnote: fp16 and matrix rates: not available on this device\n"))
        #expect(text.contains("registers  spills  shared  subgroup"))
        #expect(text.contains("         48       0    1024        32\n"))
        #expect(!Profile.oneRow().table().contains("layer →"))
    }

    @Test func rowsAreSorted() {
        let profile = Profile.sample()
        func order(_ column: Profile.Column) -> [Int] {
            Tabulation(profile).rows(sortedBy: column).map { profile.rows.firstIndex(of: $0)! }
        }
        #expect(order(.total) == [2, 1, 0])
        #expect(order(.p50) == [2, 1, 0])
        #expect(order(.dispatches) == [0, 1, 2])
        #expect(order(.kernel) == [1, 2, 0])
        #expect(order(.variant) == [2, 1, 0])
        #expect(order(.bytes) == [1, 2, 0])
        #expect(order(.limit) == [1, 0, 2])
        // Only one row has a value: it comes first, then the others in the order of measuring.
        #expect(order(.registers) == [1, 0, 2])
    }

    @Test func rowsAreChosenByKernel() {
        let profile = Profile.sample()
        #expect(Tabulation(profile).rows(sortedBy: .total, matching: ["norm"]).map(\.kernel) == ["rms_norm"])
        #expect(Tabulation(profile).rows(sortedBy: .total, matching: ["norm", "linear"]).count == 3)
        let text = profile.table(matching: ["attention"])
        #expect(lines(text).contains("no kernel is called attention; measured: rms_norm linear"))
        #expect(lines(Profile.empty(.run).table()).contains("no kernel was measured"))
        #expect(lines(Profile.empty(.run).table()).contains("next limit: nothing was measured"))
    }

    /// A row's share is relative to the time of all rows, not only of the selected ones.
    @Test func filteringKeepsShares() {
        let profile = Profile.sample()
        #expect(lines(profile.table(matching: ["norm"])).contains { $0.contains("2.4%") && $0.contains("launch") })
    }

    @Test func aboveTheLimitIsExplained() {
        var profile = Profile.oneRow()
        #expect(!profile.table().contains("because caches hold"))
        profile.limits.copyBytesPerSecond = 1e11
        let text = profile.table()
        #expect(text.contains("200.0%"))
        #expect(text.contains("because caches hold"))
        #expect(text.contains("next limit: none, every kernel is as fast as its limit"))
    }

    @Test(arguments: [
        (0.0, "0.00 ns"), (0.5, "0.50 ns"), (999.4, "999 ns"), (999.6, "1.00 µs"), (12_345, "12.3 µs"),
        (999_499_000, "999 ms"), (999_500_000, "1.00 s"), (7.2e12, "7200 s"), (-1500, "-1.50 µs"), (.infinity, "-"),
    ])
    func times(nanoseconds: Double, expected: String) { #expect(timeText(nanoseconds) == expected) }

    /// The largest rate determines the unit, so that the column of a slow device has significant digits.
    @Test func units() {
        let unit = RateUnit.fitting([1.2e10, 3e6, .infinity], RateUnit.flops)
        #expect(unit.name == "GFLOP/s")
        #expect([1.2e10, 3e6, 1e5, 0, 9.99e8].map(unit.number) == ["12.0", "0.003", "<0.001", "0.000", "0.999"])
        #expect(RateUnit.fitting([], RateUnit.bytes).name == "MB/s")
        #expect(RateUnit.text(9.996e11, RateUnit.flops) == "1.00 TFLOP/s")
        #expect(RateUnit.text(nil, RateUnit.flops) == nil)
    }
}
