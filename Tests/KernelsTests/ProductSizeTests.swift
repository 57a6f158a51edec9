import GPU
import Testing

@testable import Kernels

/// The sizes that products choose by their shapes, and that no such choice changes a bit.
struct ProductSizeTests {
    private let device: Device

    init() throws { device = try Device.open() }

    @Test func largeTilesAreForLargeProducts() {
        #expect(tileSize(tokens: 512, rows: 7168) == 64)
        #expect(tileSize(tokens: 512, rows: 1024) == 64 && tileSize(tokens: 512, rows: 576) == 32)
        #expect(tileSize(tokens: 33, rows: 129_280) == 64 && tileSize(tokens: 32, rows: 129_280) == 32)
        // 4096 assignments: of 64 experts 64 rows each, of 256 mostly fringe.
        #expect(tileSize(tokens: 4096, groups: 64, rows: 1408) == 64)
        #expect(tileSize(tokens: 4096, groups: 256, rows: 2048) == 32)
    }

    @Test func columnsAreSplitWhereRowsAreFew() {
        func split(_ rows: Int, loads: Int, subgroup: Int = 32) -> Int {
            columnSplit(rows: rows, atOnce: 4, chunks: loads * subgroup, subgroup: subgroup)
        }
        // Eight subgroups for the fewest rows, as long as each loads twice from a row.
        #expect([1, 3, 4, 7, 8, 14, 16, 28].map { split(576, loads: $0) } == [1, 1, 2, 2, 4, 4, 8, 8])
        #expect([1536, 2048, 4096, 7168, 8192, 24576].map { split($0, loads: 64) } == [8, 4, 2, 2, 1, 1])
        #expect(split(256, loads: 7, subgroup: 64) == 2)
    }

    /// y of a product in whatever way `set` asks for, as bits.
    private func bits(
        tokens: Int, columns: Int, rows: Int, seed: UInt64 = 7, _ set: (inout Linear) -> Void
    ) throws -> [[UInt32]] {
        var bench = Workbench(on: device, seed: seed)
        // The weight first: its data do not depend on the number of tokens.
        let weight = try bench.weight("weight", rows: rows, columns: columns, .fp8E4M3)
        var kernel = Linear(
            phase: .decode, x: try bench.tensor("x", [tokens, columns]), weight: weight,
            y: try bench.output("y", [tokens, rows]))
        set(&kernel)
        var transfer = Transfer(on: device)
        for tensor in bench.tensors { try SelfTest.upload(tensor.storage, &transfer) }
        try transfer.finish()
        var commands = try Commands(on: device)
        try commands.begin()
        try kernel.encode(into: &commands)
        try commands.submit()
        try commands.wait()
        let bytes = try SelfTest.download(kernel.y.storage, &transfer)
        return (0..<tokens).map { token in
            (0..<rows).map { row in
                let offset = kernel.y.byteOffset + 4 * (token * kernel.y.pitch + row)
                return bytes.withUnsafeBytes { $0.load(fromByteOffset: offset, as: UInt32.self) }
            }
        }
    }

    /// A second workgroup for the same weight rows would read them again.
    @Test(arguments: [Variant.rows(4), .lanes(2)])
    func weightsAreReadOnceForUpTo32Sequences(_ variant: Variant) throws {
        var bench = Workbench(on: device, seed: 1)
        let weight = try bench.weight("weight", rows: 64, columns: 64, .fp8E4M3)
        for count in 1...40 {
            let kernel = Linear(
                phase: .decode, x: try bench.tensor("x", [count, 64]), weight: weight,
                y: try bench.output("y", [count, 64]))
            let (atOnce, times) = kernel.tokens(variant)
            #expect(atOnce * times >= min(count, 32) && atOnce * (times - 1) < count && atOnce <= 8, "\(count)")
        }
    }

    @Test func tilesOfBothSizesGiveTheSameBits() throws {
        func product(_ tokens: Int, tile: Int) throws -> [[UInt32]] {
            try bits(tokens: tokens, columns: 200, rows: 70) {
                $0.variant = .tiles
                $0.tile = tile
            }
        }
        let many = try product(67, tile: 64)
        #expect(try product(67, tile: 32) == many)
        // A token alone has what it has among others.
        #expect(try product(1, tile: 64)[0] == many[0])
        #expect(Set(many.joined()).count > 1000)
    }

    @Test func aSplitTokenHasTheSameBitsAloneAndInABatch() throws {
        func product(_ tokens: Int, split: Int) throws -> [[UInt32]] {
            try bits(tokens: tokens, columns: 2300, rows: 37) {
                $0.variant = .rows(4)
                $0.split = split
            }
        }
        let many = try product(11, split: 4)
        #expect(try product(1, split: 4)[0] == many[0])
        // It is split: the sums were added in another order.
        #expect(try product(11, split: 1) != many)
    }
}
