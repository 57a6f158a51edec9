import GPU
import Numerics

/// Runs cases of the catalogue on a device and compares every element with the reference.
public enum SelfTest {
    public struct Outcome: Sendable {
        public let kernel, label: String
        /// The largest error over its tolerance; at most 1 passes.
        public let worstRatio: Float
        /// The first failure; nil if the kernel is right.
        public let failure: String?
    }

    /// - Parameter seed: of the data; the same seed gives the same failure.
    public static func run(_ kernelCase: KernelCase, on device: Device, seed: UInt64 = 1) throws(GPUError) -> Outcome {
        var bench = Workbench(on: device, seed: seed)
        return try check(try kernelCase.make(&bench), label: kernelCase.label, on: device)
    }

    /// Runs a kernel with operands that are filled on the host, on the device and by its reference, and compares. The declared
    /// operands are compared with the buffers that the dispatches bind.
    public static func check(_ kernel: any Kernel, label: String, on device: Device) throws(GPUError) -> Outcome {
        let name = type(of: kernel).name
        var transfer = Transfer(on: device)
        for storage in Set(kernel.operands.map { ObjectBox(object: $0.tensor.storage) }) {
            try upload(storage.object, &transfer)
        }
        try transfer.finish()

        var commands = try Commands(on: device)
        // The marks list the bindings of the dispatches.
        commands.marking = Marking()
        try commands.begin()
        try kernel.encode(into: &commands)
        var wrong = unpoisoned(kernel.operands) ?? misdeclared(kernel.operands, by: commands.marked)
        if wrong == nil {
            try commands.submit()
            try commands.wait()
            wrong = try changed(kernel.operands, by: commands.marked, &transfer)
        }
        if let wrong { return Outcome(kernel: name, label: label, worstRatio: .infinity, failure: wrong) }
        kernel.reference()

        var worst: Float = 0
        for output in kernel.outputs {
            let found = try download(output.storage, &transfer)
            let (ratio, failure) = compare(output, found: found, tolerance: kernel.tolerance(on: device))
            worst = max(worst, ratio)
            if let failure {
                return Outcome(kernel: name, label: label, worstRatio: worst, failure: failure)
            }
        }
        return Outcome(kernel: name, label: label, worstRatio: worst, failure: nil)
    }

    /// Compares one output with its host side.
    ///
    /// - Parameters:
    ///   - found: bytes of the output's storage from `base` on.
    ///   - base: 0 for the whole storage: the bytes around the elements must be equal then too.
    static func compare(
        _ output: Tensor, found: [UInt8], from base: Int = 0, tolerance: Tolerance
    ) -> (ratio: Float, failure: String?) {
        let size = output.type.byteCount
        var touched = [Bool](repeating: false, count: found.count)
        var expected: [Float] = []
        var values: [Float] = []
        for row in 0..<output.rows {
            for column in 0..<output.columns {
                let offset = output.byteOffset + (row * output.pitch + column) * size
                let place = offset - base
                for byte in 0..<size { touched[place + byte] = true }
                switch output.type {
                case .u32:
                    let want = output.words[row * output.pitch + column]
                    let have = found.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: UInt32.self) }
                    if want != have {
                        return (.infinity, "\(output.label)[\(row), \(column)]: expected \(want), found \(have)")
                    }
                case .bf16:
                    expected.append(BF16.decode(output.storage.host!.load(fromByteOffset: offset, as: UInt16.self)))
                    values.append(
                        BF16.decode(found.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: UInt16.self) })
                    )
                case .fp8E4M3:
                    expected.append(FP8E4M3.values[Int(output.storage.host![offset])])
                    values.append(FP8E4M3.values[Int(found[place])])
                case .f16:
                    expected.append(FP16.decode(output.storage.host!.load(fromByteOffset: offset, as: UInt16.self)))
                    values.append(
                        FP16.decode(found.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: UInt16.self) })
                    )
                default:
                    expected.append(output.storage.host!.load(fromByteOffset: offset, as: Float.self))
                    values.append(found.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: Float.self) })
                }
            }
        }
        for index in found.indices where base == 0 && !touched[index] && found[index] != output.storage.host![index] {
            return (.infinity, "\(output.label): wrote byte \(index - output.byteOffset), outside its elements")
        }
        return measure(output, expected: expected, found: values, tolerance: tolerance)
    }

    /// The first element of an output that differs from the host's by more than the tolerance; nil if none does.
    ///
    /// - Parameters: see `compare`.
    public static func difference(
        _ output: Tensor, found: [UInt8], from base: Int = 0, tolerance: Tolerance
    ) -> String? {
        compare(output, found: found, from: base, tolerance: tolerance).failure
    }

    /// The error of the worst element over its tolerance.
    static func measure(_ output: Tensor, expected: [Float], found: [Float], tolerance: Tolerance) -> (
        ratio: Float, failure: String?
    ) {
        guard !expected.isEmpty else { return (0, nil) }
        // Elements that the kernel does not write hold the poison, a NaN, on both sides; equal bits pass.
        func rms(_ values: ArraySlice<Float>) -> Float {
            let sum = values.reduce(0.0) { $1.isFinite ? $0 + Double($1) * Double($1) : $0 }
            return Float((sum / Double(values.count)).squareRoot())
        }
        let whole = rms(expected[...])
        let rowSizes = stride(from: 0, to: expected.count, by: output.columns).map { first in
            max(whole, rms(expected[first..<first + output.columns]))
        }
        var worst: Float = 0
        var failure: String?
        for (index, (want, have)) in zip(expected, found).enumerated()
        where want != have && want.bitPattern != have.bitPattern {
            let error = abs(have - want) / (tolerance.relative * (abs(want) + rowSizes[index / output.columns]))
            let ratio = error.isNaN ? .infinity : error
            guard ratio > worst else { continue }
            worst = ratio
            if ratio > 1 {
                failure =
                    "\(output.label)[\(index / output.columns), \(index % output.columns)]: expected \(want), found \(have), "
                    + "\(ratio) times the tolerance \(tolerance.relative) (\(tolerance.reason))"
            }
        }
        return (worst, failure)
    }

    public static func upload(_ storage: Storage, _ transfer: inout Transfer) throws(GPUError) {
        do throws(TransferError<Never>) {
            try transfer.upload(to: storage.device!) { (offset, bytes) throws(Never) in
                bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage.host![offset..<offset + bytes.count]))
            }
        } catch {
            if case .device(let error) = error { throw error }
        }
    }

    static func download(_ storage: Storage, _ transfer: inout Transfer) throws(GPUError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: storage.byteCount)
        var failure: GPUError?
        bytes.withUnsafeMutableBytes { raw in
            do throws(GPUError) { try transfer.download(storage.device!, into: raw) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }
}

/// Identity of a storage, for sets.
struct ObjectBox: Hashable {
    let object: Storage
    static func == (a: ObjectBox, b: ObjectBox) -> Bool { a.object === b.object }
    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(object)) }
}
