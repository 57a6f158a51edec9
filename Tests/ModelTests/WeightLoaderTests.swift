import Checkpoint
import FixtureSupport
import Program
import Testing

@testable import Loading
@testable import Model

struct WeightLoaderTests {
    /// Two matrices as one: the rows of both, each with the scales of its own blocks, the lower one's last block ragged.
    @Test func stackedMatricesKeepTheirRows() throws {
        let checkpoint = try Checkpoint(.folder(try Oracle.v3FP8.folder()))
        var loader = try WeightLoader(source: checkpoint, memory: HostMemory())
        let (gate, kvA) = (WeightRole.layer(0, .dense(.gate)), WeightRole.layer(0, .kvA))
        let (upper, lower) = (try loader.matrix(gate), try loader.matrix(kvA))
        try #require(upper.scales != nil && upper.rows % 128 == 0 && lower.rows % 128 != 0)
        let (both, upperRows) = try #require(try loader.stacked(gate, kvA))
        #expect(upperRows == upper.rows)
        #expect(both.rows == upper.rows + lower.rows && both.matrixCount == 1)
        for row in 0..<upper.rows { #expect(both.decodedRow(row) == upper.decodedRow(row)) }
        for row in 0..<lower.rows { #expect(both.decodedRow(upper.rows + row) == lower.decodedRow(row)) }
        // Within a block of scales no other matrix can begin.
        #expect(try loader.stacked(kvA, gate) == nil)
    }

    /// Loaded matrix by matrix, or some at once: the same bytes count as loaded.
    @Test func stackedMatricesCountOnce() throws {
        let checkpoint = try Checkpoint(.folder(try Oracle.v2BF16.folder()))
        var loader = try WeightLoader(source: checkpoint, memory: HostMemory())
        let roles = [WeightRole.layer(1, .queryA), .layer(1, .kvA)]
        for role in roles { _ = try loader.matrix(role) }
        let apart = loader.sourceByteCount
        let both = try #require(try loader.stacked(roles[0], roles[1])).weight
        #expect(both.name == "q_a_proj+kv_a_proj_with_mqa")
        #expect(loader.sourceByteCount == 2 * apart)
    }
}
