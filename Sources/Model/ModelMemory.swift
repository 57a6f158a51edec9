import Kernels

/// Memory that a model's weights are loaded into: a device's, the host's, or a plan's, which only counts bytes.
protocol ModelMemory {
    /// Storage of `byteCount` bytes, rounded up to whole chunks of 16.
    func makeStorage(_ label: String, byteCount: Int) throws(ModelError) -> Storage
    /// Fills storage by pieces, which are whole multiples of `pieceByteCount`. A plan does not call `produce`.
    ///
    /// - Parameter produce: writes the bytes from an offset on.
    func fill(
        _ storage: Storage, pieceByteCount: Int,
        _ produce: (_ offset: Int, _ bytes: UnsafeMutableRawBufferPointer) throws(ModelError) -> Void
    ) throws(ModelError)
    /// Runs one kernel and waits for it. A plan does nothing.
    func run(_ kernel: some Kernel) throws(ModelError)
}

/// The memory that an executor allocates.
struct ExecutorMemory: ModelMemory {
    let executor: Executor

    func makeStorage(_ label: String, byteCount: Int) throws(ModelError) -> Storage {
        try executor.makeStorage(label, byteCount: byteCount)
    }

    func fill(
        _ storage: Storage, pieceByteCount: Int,
        _ produce: (_ offset: Int, _ bytes: UnsafeMutableRawBufferPointer) throws(ModelError) -> Void
    ) throws(ModelError) {
        try executor.fill(storage, pieceByteCount: pieceByteCount, produce)
    }

    func run(_ kernel: some Kernel) throws(ModelError) { try executor.runAlone(kernel) }
}

extension Executor {
    var memory: ExecutorMemory { ExecutorMemory(executor: self) }
}
