import Checkpoint
import FixtureSupport
import Foundation
import Kernels
import Numerics
import Program
import Testing
import VulkanFaults

@testable import GPU
@testable import Loading
@testable import Model

/// Tensors of many reads: on the CPU, on a device whose memory the host can write, and through staging buffers.
struct LargeTensorTests {
    enum Place: String, CaseIterable { case cpu, mapped, staged }

    private static let name = "model.embed_tokens.weight"

    private func memory(_ place: Place) throws -> any ModelMemory {
        guard place != .cpu else { return HostMemory() }
        let device = try Device.open()
        if place == .staged { faults_split_memory(device.handle) }
        return DeviceMemory(on: device)
    }

    private func bytes(of storage: Storage, in memory: any ModelMemory) throws -> [UInt8] {
        guard let view = storage.device, let memory = memory as? DeviceMemory else { return Array(storage.host!) }
        var bytes = [UInt8](repeating: 0, count: view.byteCount)
        var transfer = Transfer(on: memory.device)
        try bytes.withUnsafeMutableBytes { try transfer.download(view, into: $0) }
        return bytes
    }

    /// An embedding of 18 MB and more, in rows of which 30 elements stand in 32 or which need no padding.
    private func model(width: Int) throws -> TinyCheckpoint {
        try TinyCheckpoint(["vocab_size": 300_000, "hidden_size": .init(width)])
    }

    @Test(arguments: Place.allCases, [30, 32]) func arrivesWholeWithZerosBetween(place: Place, width: Int) throws {
        let tiny = try model(width: width)
        let checkpoint = try tiny.open()
        let info = try #require(checkpoint[Self.name])
        let memory = try memory(place)
        let rowCount = info.shape[0]
        // Twice below each other, with a row and some bytes more than they take.
        let storage = try memory.storage("twice", byteCount: (2 * rowCount + 1) * 64 + 16)
        try memory.write(storage) { _, bytes throws(ModelError) in
            bytes.initializeMemory(as: UInt8.self, repeating: 0xFF)
        }
        #expect((storage.device?.mapped == nil) == (place != .mapped))
        var loaded = 0
        try checkpoint.fill(
            Tensor(storage, .bf16, [2 * rowCount, width], pitch: 32), with: [info, info].map { TensorSlice($0) },
            in: memory
        ) { (byteCount) throws(ModelError) in loaded += byteCount }
        #expect(loaded == 2 * info.byteCount)

        let words = try bytes(of: storage, in: memory)
        let expected = TinyCheckpoint.bytes(Self.name, info.shape, .bf16)
        let isRight = words.withUnsafeBytes { found in
            (0..<2 * rowCount).allSatisfy { row in
                let source = row % rowCount * 2 * width
                return found[row * 64..<row * 64 + 2 * width].elementsEqual(expected[source..<source + 2 * width])
                    && found[row * 64 + 2 * width..<(row + 1) * 64].allSatisfy { $0 == 0 }
            } && found[(2 * rowCount * 64)...].allSatisfy { $0 == 0 }
        }
        #expect(isRight)
    }

    /// Each row is in one part, whichever rows of the slices are wanted.
    @Test func partsMeetAndDoNotOverlap() {
        let slices = [5, 1, 12].map { TensorSlice(TensorInfo(name: "", type: .bf16, shape: [$0, 4])) }
        for (first, end) in (0...18).flatMap({ first in (first...18).map { (first, $0) } }) {
            let parts = RowPart.parts(of: first..<end, in: slices, mostRows: 4)
            let rows = parts.flatMap { part in
                (0..<part.rowCount).map { row in ([0, 5, 6][part.slice] + part.firstRow + row, part.place + row) }
            }
            #expect(rows.map(\.0) == Array(first..<end) && rows.map(\.1) == Array(0..<end - first))
            #expect(parts.allSatisfy { (1...4).contains($0.rowCount) })
        }
    }

    /// Ctrl-C in the midst of a tensor.
    @Test(arguments: Place.allCases) func loadingStopsWithinATensor(place: Place) throws {
        let checkpoint = try model(width: 32).open()
        var calls: [Int] = []
        var loader = try WeightLoader(source: checkpoint, memory: try memory(place)) {
            calls.append($0.loadedByteCount)
            return false
        }
        #expect(throws: ModelError.interrupted) { try loader.matrix(.embedding) }
        // Asked after the first MiB that the calling thread has read; others may have read more meanwhile.
        #expect(calls.count == 1 && (1...checkpoint[Self.name]!.byteCount).contains(calls[0]))
    }

    /// A file that is cut short after it was opened fails in several reads at once: the first is told.
    @Test(arguments: Place.allCases) func aFileThatEndsTooSoonIsNamed(place: Place) throws {
        let open = try OpenModel(model(width: 30), Self.name)
        let size = open.info.offset + 2_500_000
        try #require(truncate(open.path, off_t(size)) == 0)
        let part = Self.part(width: 30)
        try expectFailure(
            of: open, on: place,
            "expected \(part) bytes at \(open.info.offset + 2 * part), found the end of the file at \(size)")
    }

    /// A disk that fails: what the system says, and where.
    @Test(arguments: Place.allCases) func aReadErrorIsNamed(place: Place) throws {
        let open = try OpenModel(model(width: 30), Self.name)
        // Where the file was open is now this process's memory, whose low addresses answer EIO.
        let file = try #require(open.descriptor())
        let memory = Glibc.open("/proc/self/mem", O_RDONLY | O_CLOEXEC)
        defer { close(memory) }
        try #require(memory >= 0 && dup2(memory, file) == file)
        try expectFailure(
            of: open, on: place,
            "expected \(Self.part(width: 30)) readable bytes at \(open.info.offset), found Input/output error")
    }

    /// Bytes of one read: whole rows, up to a MiB.
    private static func part(width: Int) -> Int { (1 << 20) / (2 * width) * 2 * width }

    private func expectFailure(of open: OpenModel, on place: Place, _ words: String) throws {
        let memory = try memory(place)
        for _ in 0..<5 {
            var loader = try WeightLoader(source: open.checkpoint, memory: memory)
            #expect {
                _ = try loader.matrix(.embedding)
            } throws: {
                "\($0)".hasPrefix("\(Self.name): ") && "\($0)".contains("/model.safetensors: \(words)")
            }
        }
    }

    @Test(arguments: Place.allCases) func theFirstOfSeveralFaultsIsNamed(place: Place) throws {
        let checkpoint = try model(width: 30).open { folder in
            for row in [250_000, 120_000, 120_001, 290_000] {
                try TemporaryCheckpoint.overwrite(Self.name, at: row * 60 + 14, with: [0x80, 0x7F], in: folder)
            }
        }
        let memory = try memory(place)
        for _ in 0..<5 {
            var loader = try WeightLoader(source: checkpoint, memory: memory)
            #expect {
                _ = try loader.matrix(.embedding)
            } throws: {
                "\($0)".hasPrefix("\(Self.name): expected finite weights, found NaN or infinity (BF16) at [120000, 7]")
            }
        }
    }

    /// The next matrix is read while the device copies the last: nothing waits before both staging buffers are taken.
    @Test func readingGoesOnWhileTheDeviceCopies() throws {
        let checkpoint = try Checkpoint(.folder(try Oracle.v2LiteBF16.folder()))
        let device = try Device.open()
        faults_split_memory(device.handle)
        let memory = DeviceMemory(on: device)
        var loader = try WeightLoader(source: checkpoint, memory: memory)
        // Whoever waits is told that the device was lost.
        faults_lose_at_wait(device.handle)
        _ = try loader.matrix(.layer(0, .attentionOutput))
        _ = try loader.matrix(.layer(0, .dense(.up)))
        #expect {
            _ = try loader.matrix(.layer(0, .dense(.down)))
        } throws: {
            guard case ModelError.device(let cause) = $0 else { return false }
            return cause.result == .deviceLost
        }
        #expect(throws: GPUError.self) { try memory.settle() }
    }
}

/// A checkpoint whose file has a name for as long as it is open.
private struct OpenModel {
    let checkpoint: Checkpoint
    let info: TensorInfo
    let path: String
    private let folder: TemporaryFolder

    init(_ tiny: TinyCheckpoint, _ tensor: String) throws {
        var tiny = tiny
        tiny.hasIndex = false
        let folder = try TemporaryFolder()
        let path = folder.path + "/model.safetensors"
        checkpoint = try tiny.open {
            // Its own folder goes when it is open.
            try FileManager.default.linkItem(atPath: $0 + "/model.safetensors", toPath: path)
        }
        info = try #require(checkpoint[tensor])
        (self.folder, self.path) = (folder, path)
    }

    /// The descriptor through which the file is read.
    func descriptor() -> CInt? {
        var (file, other) = (stat(), stat())
        guard stat(path, &file) == 0 else { return nil }
        return (0..<1024).first { fstat($0, &other) == 0 && other.st_ino == file.st_ino && other.st_dev == file.st_dev }
    }
}
