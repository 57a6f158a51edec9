import GPU
import Glibc
import Numerics

/// Memory that kernels work on: on the device, on the host (for the reference), or on both. A storage without memory is a
/// slot of a program, which is bound to memory before the program runs.
public final class Storage: @unchecked Sendable {
    public let label: String
    public let byteCount: Int
    public private(set) var device: BufferView?
    public private(set) var host: UnsafeMutableRawBufferPointer?
    /// Keeps the host's memory alive.
    private var hostBlock: HostBlock?

    /// A slot.
    public init(label: String, byteCount: Int) {
        self.label = label
        self.byteCount = byteCount
    }

    /// - Parameter onHost: also keep host memory, zeroed.
    public convenience init(label: String, byteCount: Int, device: BufferView?, onHost: Bool) {
        self.init(label: label, byteCount: byteCount)
        bind(device: device, host: onHost ? (HostBlock(byteCount: byteCount), 0) : nil)
    }

    /// Gives a slot its memory, before anything uses it.
    public func bind(device: BufferView?, host: (block: HostBlock, offset: Int)?) {
        self.device = device
        hostBlock = host?.block
        self.host = host.map {
            UnsafeMutableRawBufferPointer(rebasing: $0.block.bytes[$0.offset..<$0.offset + byteCount])
        }
    }
}

/// Zeroed host memory, aligned to 64 bytes. The system provides zero pages when they are first touched, so large blocks cost
/// nothing before that.
public final class HostBlock: @unchecked Sendable {
    public let bytes: UnsafeMutableRawBufferPointer
    private let allocation: UnsafeMutableRawPointer

    public init(byteCount: Int) {
        guard let allocation = calloc(byteCount + 63, 1) else {
            preconditionFailure("no memory for \(byteCount) bytes")
        }
        self.allocation = allocation
        bytes = UnsafeMutableRawBufferPointer(start: allocation.alignedUp(toMultipleOf: 64), count: byteCount)
    }

    deinit { free(allocation) }
}

/// A typed, shaped view of storage. Elements of dimension 0 are `pitch` elements apart; the inner dimensions are dense.
public struct Tensor: Sendable {
    public let storage: Storage
    public let type: ElementType
    public let shape: [Int]
    public let pitch: Int
    /// The first element's place in the storage, in bytes.
    public let byteOffset: Int

    public init(_ storage: Storage, _ type: ElementType, _ shape: [Int], pitch: Int? = nil, byteOffset: Int = 0) {
        self.storage = storage
        self.type = type
        self.shape = shape
        self.pitch = pitch ?? shape.dropFirst().reduce(1, *)
        self.byteOffset = byteOffset
        precondition(self.pitch >= columns, "\(storage.label): pitch \(self.pitch) below \(columns) columns")
        precondition(
            byteOffset + ((shape[0] - 1) * self.pitch + columns) * type.byteCount <= storage.byteCount,
            "\(storage.label): \(shape) exceeds \(storage.byteCount) bytes"
        )
    }

    public var label: String { storage.label }
    public var rows: Int { shape[0] }
    /// Elements of one row: the product of the inner dimensions.
    public var columns: Int { shape.dropFirst().reduce(1, *) }
    public var byteCount: Int { shape[0] * pitch * type.byteCount }

    /// The tensor's bytes on the device, in whole 32-bit words.
    public var view: BufferView {
        guard let device = storage.device else { preconditionFailure("\(label): no device memory") }
        return device.slice(offset: byteOffset, byteCount: min((byteCount + 3) / 4 * 4, device.byteCount - byteOffset))
    }

    /// Rows `range` of dimension 0.
    public func rows(_ range: Range<Int>) -> Tensor {
        precondition(range.upperBound <= rows, "\(label): rows \(range) of \(rows)")
        return Tensor(
            storage, type, [range.count] + shape.dropFirst(), pitch: pitch,
            byteOffset: byteOffset + range.lowerBound * pitch * type.byteCount)
    }

    /// Columns `range` of a matrix.
    public func columns(_ range: Range<Int>) -> Tensor {
        precondition(shape.count == 2 && range.upperBound <= columns, "\(label): columns \(range) of \(columns)")
        return Tensor(
            storage, type, [rows, range.count], pitch: pitch,
            byteOffset: byteOffset + range.lowerBound * type.byteCount)
    }

    /// The same elements under another shape with the same number of columns.
    public func shaped(_ shape: [Int]) -> Tensor { Tensor(storage, type, shape, pitch: pitch, byteOffset: byteOffset) }

    // MARK: Host memory, for references

    private var hostBase: UnsafeMutableRawPointer {
        guard let host = storage.host?.baseAddress else { preconditionFailure("\(label): no host memory") }
        return host + byteOffset
    }

    /// The elements in host memory as FP32; the index is `row * pitch + column`.
    public var floats: UnsafeMutablePointer<Float> {
        precondition(type == .f32, "\(label): \(type) read as F32")
        return hostBase.assumingMemoryBound(to: Float.self)
    }

    public var words: UnsafeMutablePointer<UInt32> {
        precondition(type == .u32, "\(label): \(type) read as U32")
        return hostBase.assumingMemoryBound(to: UInt32.self)
    }

    /// The FP8 codes in host memory.
    var bytes: UnsafeMutablePointer<UInt8> {
        precondition(type == .fp8E4M3, "\(label): \(type) read as FP8")
        return hostBase.assumingMemoryBound(to: UInt8.self)
    }

    /// The values of a row.
    public func decodedRow(_ row: Int) -> [Float] {
        let base = UnsafeRawPointer(hostBase + row * pitch * type.byteCount)
        return (0..<columns).map { column in
            switch type {
            case .f32: base.load(fromByteOffset: column * 4, as: Float.self)
            case .bf16: BF16.decode(base.load(fromByteOffset: column * 2, as: UInt16.self))
            case .f16: FP16.decode(base.load(fromByteOffset: column * 2, as: UInt16.self))
            case .fp8E4M3: FP8E4M3.values[Int(base.load(fromByteOffset: column, as: UInt8.self))]
            default: preconditionFailure("\(label): \(type) is not a weight's type")
            }
        }
    }

    /// Stores one F32, BF16 or F16 element.
    public func store(_ value: Float, row: Int, column: Int) {
        let index = row * pitch + column
        switch type {
        case .f32: hostBase.storeBytes(of: value, toByteOffset: index * 4, as: Float.self)
        case .bf16: hostBase.storeBytes(of: BF16.encode(value), toByteOffset: index * 2, as: UInt16.self)
        case .f16: hostBase.storeBytes(of: FP16.encode(value), toByteOffset: index * 2, as: UInt16.self)
        default: preconditionFailure("\(label): \(type) is not a result's type")
        }
    }

    /// The pitch of activations: a multiple of four elements, so that kernels load four at once.
    public static func activationPitch(_ columns: Int) -> Int { (columns + 3) / 4 * 4 }
    /// The pitch of weights: a multiple of 16 elements, so that rows begin at multiples of 16 bytes in every format.
    public static func weightPitch(_ columns: Int) -> Int { (columns + 15) / 16 * 16 }
}
