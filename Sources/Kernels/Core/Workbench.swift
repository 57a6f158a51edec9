import GPU
import Numerics

/// Makes the operands of a case: the same seeded data on the device and on the host. Outputs are poisoned, and every tensor
/// has guard bytes before and after it. For a target without a device the operands are planned: they have sizes and no data.
public struct Workbench {
    public enum Fill {
        case normal(Float)
        case floats([Float])
        case words([UInt32])
        /// A NaN that no kernel writes, so that an element left out is seen.
        case poison
    }

    static let poison: UInt32 = 0x7FC0_DEAD
    static let guardByteCount = 256

    public let device: Device?
    /// The device that kernels choose their variants for; nil for the reference alone.
    public let target: (any Target)?
    public var random: SeededRandom
    /// Every tensor that was made here, in order.
    public private(set) var tensors: [Tensor] = []
    private var originals: [Tensor]?

    public init(on device: Device?, seed: UInt64) {
        self.device = device
        target = device
        random = SeededRandom(seed: seed)
    }

    /// A bench of planned operands, for listing the dispatches of a case. The device need not be there.
    public init(planningFor target: any Target, seed: UInt64 = 1) {
        device = nil
        self.target = target
        random = SeededRandom(seed: seed)
    }

    /// A bench for a second copy of a case's operands, on the device only. Its tensors are not filled: the caller copies the
    /// contents of the original's `tensors`.
    public init(again original: Workbench) {
        device = original.device
        target = original.target
        random = original.random
        originals = original.tensors
    }

    /// Whether its tensors have no host memory.
    public var isUnfilled: Bool { originals != nil || isPlanning }
    private var isPlanning: Bool { device == nil && target != nil }

    /// A tensor with guards before and after its elements.
    public mutating func tensor(
        _ label: String, _ type: ElementType = .f32, _ shape: [Int], _ fill: Fill = .normal(1), pitch: Int? = nil
    ) throws(GPUError) -> Tensor {
        let columns = shape.dropFirst().reduce(1, *)
        let pitch = pitch ?? (type == .u32 ? columns : Tensor.activationPitch(columns))
        let byteCount = (shape[0] * pitch * type.byteCount + 3) / 4 * 4 + 2 * Self.guardByteCount
        let view: BufferView? =
            if let device {
                try Allocation(on: device, byteCount: byteCount, kind: .device, label: label).view
            } else if isPlanning {
                Allocation(plannedByteCount: byteCount, label: label).view
            } else {
                nil
            }
        if let originals {
            precondition(
                originals[tensors.count].shape == shape && originals[tensors.count].type == type,
                "\(label): \(shape) made again, \(originals[tensors.count].shape) before")
        }
        if isUnfilled {
            let storage = Storage(label: label, byteCount: byteCount, device: view, onHost: false)
            tensors.append(Tensor(storage, type, shape, pitch: pitch, byteOffset: Self.guardByteCount))
            return tensors[tensors.count - 1]
        }
        let storage = Storage(label: label, byteCount: byteCount, device: view, onHost: true)
        let words = storage.host!.bindMemory(to: UInt32.self)
        for index in words.indices { words[index] = Self.poison }
        let tensor = Tensor(storage, type, shape, pitch: pitch, byteOffset: Self.guardByteCount)
        write(fill, to: tensor)
        tensors.append(tensor)
        return tensor
    }

    /// A tensor that the kernel writes.
    public mutating func output(
        _ label: String, _ type: ElementType = .f32, _ shape: [Int]
    ) throws(GPUError) -> Tensor {
        try tensor(label, type, shape, .poison)
    }

    mutating func tensor(_ label: String, _ shape: [Int], _ fill: Fill = .normal(1)) throws(GPUError) -> Tensor {
        try tensor(label, .f32, shape, fill)
    }

    mutating func output(_ label: String, _ shape: [Int]) throws(GPUError) -> Tensor { try output(label, .f32, shape) }

    /// A weight with entries of about 1/√columns. FP8 codes take all 254 finite values, integers all of theirs.
    public mutating func weight(
        _ label: String, rows: Int, columns: Int, _ format: WeightFormat, matrixCount: Int = 1
    ) throws(GPUError) -> Weight {
        let gain = 1 / Float(columns).squareRoot()
        let codes = try tensor(
            label, format.codeType, [matrixCount * rows, format.codeCount(columns)], .poison,
            pitch: format.codePitch(columns))
        if !isUnfilled { fillWeight(codes, gain: gain) }
        guard let shape = format.scaleShape(rows: rows, columns: columns).map({ [matrixCount * $0[0], $0[1]] }) else {
            return Weight(format, codes: codes, scales: nil, columns: columns, matrixCount: matrixCount)
        }
        let size = gain / format.usualCode
        let values =
            isPlanning ? [] : (0..<shape[0] * shape[1]).map { _ in Float(0.5 + random.nextUnit()) * size }
        let scales = try tensor(label + " scales", .f32, shape, .floats(values), pitch: shape[1])
        return Weight(format, codes: codes, scales: scales, columns: columns, matrixCount: matrixCount)
    }

    private mutating func fillWeight(_ codes: Tensor, gain: Float) {
        let columns = codes.columns
        let bytes = UnsafeMutableRawBufferPointer(
            rebasing: codes.storage.host![codes.byteOffset..<codes.byteOffset + codes.byteCount])
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        for row in 0..<codes.rows {
            for column in 0..<columns {
                let index = row * codes.pitch + column
                switch codes.type {
                case .f32: bytes.storeBytes(of: random.nextNormal() * gain, toByteOffset: index * 4, as: Float.self)
                case .bf16:
                    bytes.storeBytes(
                        of: BF16.encode(random.nextNormal() * gain), toByteOffset: index * 2, as: UInt16.self)
                case .f16:
                    bytes.storeBytes(
                        of: FP16.encode(random.nextNormal() * gain), toByteOffset: index * 2, as: UInt16.self)
                case .u32: codes.words[index] = UInt32(truncatingIfNeeded: random.next())
                default:
                    let code = UInt8(truncatingIfNeeded: random.next())
                    bytes[index] = code & 0x7F == 0x7F ? code & 0x80 : code
                }
            }
        }
    }

    private mutating func write(_ fill: Fill, to tensor: Tensor) {
        for row in 0..<tensor.rows {
            for column in 0..<tensor.columns {
                let index = row * tensor.columns + column
                switch fill {
                case .normal(let scale): tensor.store(random.nextNormal() * scale, row: row, column: column)
                case .floats(let values): tensor.store(values[index], row: row, column: column)
                case .words(let values): tensor.words[row * tensor.pitch + column] = values[index]
                case .poison: return
                }
            }
        }
    }
}
