import Numerics

/// A tensor of a file: what it is and where its bytes are.
public struct TensorInfo: Sendable, Equatable {
    public let name: String
    public let type: ElementType
    public let shape: [Int]
    public let byteCount: Int
    /// The file that holds it.
    public let shard: String
    /// Where its bytes start in that file.
    public let offset: Int

    public var elementCount: Int { byteCount / type.byteCount }
}

extension TensorInfo {
    /// One that is in no file.
    public init(name: String, type: ElementType, shape: [Int]) {
        self.init(
            name: name, type: type, shape: shape, byteCount: shape.reduce(type.byteCount, *), shard: "", offset: 0)
    }
}

/// One safetensors file, its header read and checked, open for reading from any number of threads.
public final class SafetensorsFile: Sendable {
    public let tensors: [String: TensorInfo]
    /// What is wrong with the header, in the tensors' order.
    let faults: [CheckpointError]
    let file: RandomAccessFile

    /// Opens the file called `name`; all of its header must be right.
    public convenience init(_ source: CheckpointSource, _ name: String) throws(CheckpointError) {
        try self.init(reading: source, name)
        if let first = faults.first { throw first }
    }

    /// Opens the file called `name`, which may have `faults`. Throws where its header cannot be read at all.
    init(reading source: CheckpointSource, _ name: String) throws(CheckpointError) {
        file = try source.open(name)
        let header = try SafetensorsHeader(file)
        faults = header.faults
        var tensors = [String: TensorInfo](minimumCapacity: header.entries.count)
        for entry in header.entries {
            tensors[entry.name] = TensorInfo(
                name: entry.name, type: entry.type, shape: entry.shape, byteCount: entry.range.count, shard: name,
                // Of a faulty file any number: nothing is read there.
                offset: header.dataOffset &+ entry.range.lowerBound)
        }
        self.tensors = tensors
    }

    public subscript(name: String) -> TensorInfo? { tensors[name] }

    /// Fills `destination` with a tensor's bytes, from its byte `offset` on.
    public func read(
        _ tensor: TensorInfo, offset: Int = 0, into destination: UnsafeMutableRawBufferPointer
    ) throws(CheckpointError) {
        guard offset >= 0, destination.count <= tensor.byteCount, offset <= tensor.byteCount - destination.count else {
            throw CheckpointError(
                .refused, "\(file.name): \(tensor.name)", expected: "a range within its \(tensor.byteCount) bytes",
                found: "\(destination.count) bytes at \(offset)")
        }
        try file.read(at: tensor.offset + offset, into: destination)
    }

    /// A whole tensor.
    public func bytes(_ tensor: TensorInfo) throws(CheckpointError) -> [UInt8] {
        try file.bytes(at: tensor.offset, count: tensor.byteCount)
    }
}
