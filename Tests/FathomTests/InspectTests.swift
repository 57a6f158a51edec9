import FixtureSupport
import Foundation
import JSON
import Testing

@Suite(.serialized) struct InspectTests {
    @Test func faultsAreNamed() throws {
        let model = try TemporaryCheckpoint(.v3FP8) { $0["model_type"] = "llama" }
        let result = try Program.run(["inspect", model.path])
        #expect(result.status == 1 && result.output.isEmpty)
        #expect(result.errors.contains("config.json: model_type: expected one of deepseek_v2"), "\(result.errors)")
    }

    /// The cache's and the weights' bytes are those of the config; a longer context is not said to fit.
    @Test func whatFitsIsSaid() throws {
        let folder = try Oracle.v3FP8.folder()
        let text = try Program.run(["inspect", folder])
        let json = try Program.run(["inspect", "--json", folder])
        #expect(text.status == 0 && json.status == 0 && json.errors.isEmpty, "\(text) \(json.errors)")
        let report = try JSONField(parsing: Array(json.output.utf8), name: "inspect")
        #expect(try report["family"].string() == "deepseek_v3")
        let parts = try report["parts"].array()
        #expect(try parts.reduce(0) { try $0 + $1["bytes"].int() } == report["bytes"].int())
        let plans = try report["plans"].array()
        #expect(try plans.last?["device"].string() == "cpu")
        for plan in plans {
            #expect(try text.output.contains("--device \(plan["device"].string()) (\(plan["name"].string())): "))
            for option in try plan["options"].array() {
                #expect(try option["fits"].bool() && option["prediction"].bool())
                #expect(try option["largest_context"].int() == report["context"].int())
            }
        }
    }

    /// V3 whole, its 91,000 tensors' headers in 163 files: read, counted and planned for.
    @Test func v3IsReadAndPlanned() throws {
        let model = try SparseCheckpoint("v3", predictionLayers: 1)
        #expect(model.tensorCount > 91_000)
        let start = ContinuousClock.now
        let json = try Program.run(["inspect", "--json", model.path])
        // A second alone on the machine; tests of other kinds run beside this one.
        #expect(ContinuousClock.now - start < .seconds(20))
        #expect(json.status == 0, "\(json.errors)")
        let report = try JSONField(parsing: Array(json.output.utf8), name: "inspect")
        #expect(try report["parameters"].int() / 1_000_000_000 == 671)
        #expect(try report["tensors"].int() == model.tensorCount && report["files"].int() == model.shardCount)
        for plan in try report["plans"].array() {
            for option in try plan["options"].array() {
                #expect(try !option["fits"].bool() && option["weight_bytes"].int() > 600 << 30)
            }
        }
        let structure = try Program.run(["verify", "--structure", model.path])
        #expect(structure.status == 0, "\(structure)")
        let text = try Program.run(["inspect", model.path])
        #expect(text.output.contains("671.0 billion, 36.6 billion a token"), "\(text.output)")
        #expect(text.output.contains("does not fit: --context 4096 takes"))
    }
}
