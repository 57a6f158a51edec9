import GPU
import Kernels
import Program

/// A model's memory within this module's errors.
extension ModelMemory {
    package func storage(_ label: String, byteCount: Int) throws(ModelError) -> Storage {
        try onDevice { () throws(GPUError) in return try makeStorage(label, byteCount: byteCount) }
    }

    package func write(
        _ storage: Storage, pieceByteCount: Int = 4,
        _ produce: (_ offset: Int, _ bytes: UnsafeMutableRawBufferPointer) throws(ModelError) -> Void
    ) throws(ModelError) {
        do throws(TransferError<ModelError>) {
            try fill(storage, pieceByteCount: pieceByteCount, produce)
        } catch {
            switch error {
            case .source(let error): throw error
            case .device(let error): throw .device(error)
            }
        }
    }

    /// Writes a tensor that has no padding.
    func set(_ tensor: Tensor, to words: [UInt32]) throws(ModelError) {
        precondition(
            tensor.byteOffset == 0 && words.count * 4 == tensor.byteCount, "\(tensor.label): \(words.count) words")
        try write(tensor.storage) { offset, bytes throws(ModelError) in
            words.withUnsafeBytes { source in
                let part = source[min(offset, source.count)..<min(offset + bytes.count, source.count)]
                bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: part))
            }
        }
    }

    package func runAlone(_ kernel: some Kernel) throws(ModelError) {
        try onDevice { () throws(GPUError) in try run(kernel) }
    }
}
