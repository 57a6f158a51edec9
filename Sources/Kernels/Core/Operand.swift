import GPU

/// A tensor that a kernel uses, and how.
public struct KernelOperand: Sendable {
    public let tensor: Tensor
    /// - `.read`: the tensor keeps its values.
    /// - `.write`: the kernel sets every element that anything reads later, and reads none of the old ones.
    /// - `.readWrite`: the kernel adds to the tensor, or sets a part of it only.
    public let access: Access

    public static func read(_ tensor: Tensor) -> KernelOperand { KernelOperand(tensor: tensor, access: .read) }
    public static func write(_ tensor: Tensor) -> KernelOperand { KernelOperand(tensor: tensor, access: .write) }
    public static func readWrite(_ tensor: Tensor) -> KernelOperand {
        KernelOperand(tensor: tensor, access: .readWrite)
    }
}

extension [KernelOperand] {
    /// The tensors of these values, declared as read.
    static func read(_ holders: any TensorHolder...) -> [KernelOperand] {
        holders.flatMap(\.tensors).map { .read($0) }
    }
}

/// A value that consists of tensors, as a weight does of codes and scales.
protocol TensorHolder {
    var tensors: [Tensor] { get }
}

extension Tensor: TensorHolder {
    var tensors: [Tensor] { [self] }
}

extension Weight: TensorHolder {
    var tensors: [Tensor] { [codes] + scales.tensors }
}

extension Optional: TensorHolder where Wrapped: TensorHolder {
    var tensors: [Tensor] { self?.tensors ?? [] }
}

extension Array: TensorHolder where Element: TensorHolder {
    var tensors: [Tensor] { flatMap(\.tensors) }
}
