import Synchronization

/// Which variants of kernels a device runs, by name; what was asked for comes before what was measured.
///
/// The device keeps the names; what they mean is the kernels' business. Set before the work begins.
public final class ChosenVariants: Sendable {
    private let tables = Mutex<(forced: [String: [String]], measured: [String: String])>(([:], [:]))

    /// Adds a variant that is run wherever the kernel can.
    public func force(_ variant: String, for kernel: String) {
        tables.withLock { $0.forced[kernel, default: []].append(variant) }
    }

    /// Replaces what was measured: variants by choice.
    public func setMeasured(_ variants: [String: String]) { tables.withLock { $0.measured = variants } }

    /// The names wanted for any of these keys, the first ones most.
    public subscript(_ keys: [String]) -> [String] {
        tables.withLock { table in
            keys.flatMap { table.forced[$0] ?? [] } + keys.compactMap { table.measured[$0] }
        }
    }
}
