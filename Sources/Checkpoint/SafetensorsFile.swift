import Numerics

/// A tensor's name, type, shape and location.
public struct TensorInfo: Sendable, Equatable {
    public let name: String
    public let type: ElementType
    public let shape: [Int]
    public let byteCount: Int
    /// Name of the file with its data.
    public let shard: String
    /// Offset of its data in that file, in bytes.
    public let offset: Int

    public var elementCount: Int { byteCount / type.byteCount }
}

extension TensorInfo {
    /// A tensor without a file.
    public init(name: String, type: ElementType, shape: [Int]) {
        self.init(
            name: name, type: type, shape: shape, byteCount: shape.reduce(type.byteCount, *), shard: "", offset: 0)
    }
}

/// An open safetensors file with a checked header. Any number of threads may read it.
public final class SafetensorsFile: Sendable {
    public let tensors: [String: TensorInfo]
    /// Errors in the header, in the order of the tensors.
    let faults: [CheckpointError]
    let file: RandomAccessFile

    /// Opens the file `name`. Throws if its header has any fault.
    public convenience init(_ source: CheckpointSource, _ name: String) throws(CheckpointError) {
        try self.init(reading: source, name)
        if let first = faults.first { throw first }
    }

    /// Opens the file `name`, which may have `faults`. Throws only if its header cannot be read at all.
    init(reading source: CheckpointSource, _ name: String) throws(CheckpointError) {
        file = try source.open(name)
        let header = try SafetensorsHeader(file)
        faults = header.faults
        var tensors = [String: TensorInfo](minimumCapacity: header.entries.count)
        for entry in header.entries {
            tensors[entry.name] = TensorInfo(
                name: entry.name, type: entry.type, shape: entry.shape, byteCount: entry.range.count, shard: name,
                // Wraps around instead of trapping: in a faulty file the offset may be any number, and is not used.
                offset: header.dataOffset &+ entry.range.lowerBound)
        }
        self.tensors = tensors
    }

    public subscript(name: String) -> TensorInfo? { tensors[name] }

    /// Fills `destination` with the tensor's bytes from `offset` on. Throws if they are not within the tensor.
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

    /// The bytes of a whole tensor.
    public func bytes(_ tensor: TensorInfo) throws(CheckpointError) -> [UInt8] {
        try file.bytes(at: tensor.offset, count: tensor.byteCount)
    }
}
