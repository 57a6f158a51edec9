import FixtureSupport
import Foundation
import JSON
import Testing

/// `fathom tune` and `--variant`.
@Suite(.serialized) struct TuneTests {
    @Test func whatIsFastestIsKeptAndRuns() throws {
        let folder = try TemporaryFolder()
        let home = ["XDG_CACHE_HOME": folder.path]
        let tuned = try Program.run(["tune", "--prompt", "20", "--json"], environment: home)
        #expect(tuned.status == 0, "\(tuned.errors)")
        let results = try JSONField(parsing: Array(tuned.output.utf8), name: "tune").array()
        let choices = try Set(results.map { try $0["choice"].string() })
        #expect(choices.isSuperset(of: ["linear decode F8_E4M3", "linear prefill F8_E4M3", "mla_absorbed F32"]))
        for result in results {
            let times = try result["nanoseconds"].object()
            #expect(try times.contains { try $0.key == result["variant"].string() } && times.count > 0)
        }
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/fathom")
        let file = try #require(files.first { $0.hasPrefix("tuning-") })
        let answer = ["generate", "--max-new-tokens", "8", "What is the capital of France?"]
        let expected = try Program.run(answer, environment: home)
        #expect(expected.status == 0)
        // A damaged file counts as none.
        try Data("{\"shaders\": 3".utf8).write(to: URL(fileURLWithPath: "\(folder.path)/fathom/\(file)"))
        #expect(try Program.run(answer, environment: home).output == expected.output)
    }

    @Test func aVariantIsForcedOrNamedAsWrong() throws {
        let plain = ["generate", "--max-new-tokens", "8", "What is the capital of France?"]
        let answer = plain + ["--variant"]
        let tiles = try Program.run(answer + ["linear=tiles"])
        #expect(try tiles.status == 0 && tiles.output == Program.run(plain).output, "\(tiles.errors)")
        for (text, expected) in [
            ("linear=fast", "expected a variant of linear: "), ("gemm=tiles", "expected kernel=variant"),
            ("tiles", "found \"tiles\""),
        ] {
            let wrong = try Program.run(answer + [text])
            #expect(wrong.status == 64 && wrong.errors.contains(expected), "\(wrong.errors)")
        }
        let cpu = try Program.run(["tune", "--device", "cpu"])
        #expect(cpu.status == 64 && cpu.errors.contains("expected a Vulkan device"), "\(cpu.errors)")
    }
}
