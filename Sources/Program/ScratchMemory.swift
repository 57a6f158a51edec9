import GPU
import Kernels

/// The memory of programs' slots, shared by all steps: the device runs one after another.
public final class ScratchMemory {
    private enum Place {
        case host, device(Device), both(Device)
        /// Sizes without memory, for lists of dispatches.
        case planned
    }
    private let place: Place
    /// Device memory, `SlotLayout.blockByteCount` each but the last.
    private var blocks: [BufferView] = []
    private var hostBlock: HostBlock?
    public private(set) var byteCount = 0

    private init(_ place: Place) { self.place = place }

    public static func host() -> ScratchMemory { ScratchMemory(.host) }
    public static func device(_ device: Device) -> ScratchMemory { ScratchMemory(.device(device)) }
    public static func both(_ device: Device) -> ScratchMemory { ScratchMemory(.both(device)) }
    static func planned() -> ScratchMemory { ScratchMemory(.planned) }

    /// Allocates memory for programs of at most so many bytes. Programs bound before keep the memory that they have.
    public func reserve(byteCount wanted: Int) throws(GPUError) {
        guard wanted > byteCount else { return }
        switch place {
        case .host: hostBlock = HostBlock(byteCount: wanted)
        case .device(let device): blocks = try Self.blocks(wanted, on: device)
        case .both(let device):
            blocks = try Self.blocks(wanted, on: device)
            hostBlock = HostBlock(byteCount: wanted)
        case .planned:
            blocks = Self.sizes(wanted).map { Allocation(plannedByteCount: $0, label: "scratch").view }
        }
        byteCount = wanted
    }

    /// Gives every slot of the program its memory. The plan of memory covers all steps that the model takes; a step that
    /// packs worse than planned gets new memory.
    func bind(_ program: Program) throws(GPUError) {
        try reserve(byteCount: program.slots.byteCount)
        for slot in program.slots.slots where slot.storage.device == nil && slot.storage.host == nil {
            let (block, offset) = slot.offset.quotientAndRemainder(dividingBy: SlotLayout.blockByteCount)
            slot.storage.bind(
                device: blocks.isEmpty
                    ? nil : blocks[block].slice(offset: offset, byteCount: slot.storage.byteCount),
                host: hostBlock.map { ($0, slot.offset) })
        }
    }

    private static func sizes(_ byteCount: Int) -> [Int] {
        stride(from: 0, to: byteCount, by: SlotLayout.blockByteCount).map {
            min(SlotLayout.blockByteCount, byteCount - $0)
        }
    }

    private static func blocks(_ byteCount: Int, on device: Device) throws(GPUError) -> [BufferView] {
        var blocks: [BufferView] = []
        for size in sizes(byteCount) {
            blocks.append(try Allocation(on: device, byteCount: size, kind: .device, label: "scratch").view)
        }
        return blocks
    }
}
