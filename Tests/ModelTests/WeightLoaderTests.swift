import Checkpoint
import FixtureSupport
import Testing

@testable import Model

struct WeightLoaderTests {
    /// Two matrices as one: the rows of both, each with the scales of its own blocks, the lower one's last block ragged.
    @Test func stackedMatricesKeepTheirRows() throws {
        let checkpoint = try Checkpoint(.folder(try Oracle.v3FP8.folder()))
        var loader = WeightLoader(source: checkpoint, executor: try Executor(device: nil, check: false))
        let (gate, kvA) = ("model.layers.0.mlp.gate_proj.weight", "model.layers.0.self_attn.kv_a_proj_with_mqa.weight")
        let (upper, lower) = (try loader.matrix(gate), try loader.matrix(kvA))
        try #require(upper.scales != nil && upper.rows % 128 == 0 && lower.rows % 128 != 0)
        let both = try #require(try loader.stacked(gate, kvA, "both"))
        #expect(both.rows == upper.rows + lower.rows && both.matrixCount == 1)
        for row in 0..<upper.rows { #expect(both.decodedRow(row) == upper.decodedRow(row)) }
        for row in 0..<lower.rows { #expect(both.decodedRow(upper.rows + row) == lower.decodedRow(row)) }
        // Within a block of scales no other matrix can begin.
        #expect(try loader.stacked(kvA, gate, "both") == nil)
    }

    /// Loaded matrix by matrix, or some at once: the same bytes count as loaded.
    @Test func stackedMatricesCountOnce() throws {
        let checkpoint = try Checkpoint(.folder(try Oracle.v2BF16.folder()))
        var loader = WeightLoader(source: checkpoint, executor: try Executor(device: nil, check: false))
        let names = ["q_a_proj", "kv_a_proj_with_mqa"].map { "model.layers.1.self_attn.\($0).weight" }
        for name in names { _ = try loader.matrix(name) }
        let apart = loader.loadedByteCount
        _ = try #require(try loader.stacked(names[0], names[1], "both"))
        #expect(loader.loadedByteCount == 2 * apart)
    }
}
