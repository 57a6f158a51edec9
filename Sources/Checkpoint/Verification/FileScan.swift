import Crypto
import Numerics

/// Reads a stretch of a file once, finds the elements with values that no weight may have, and computes the file's digest.
struct FileScan {
    /// A file, or a stretch of it that begins and ends between elements.
    struct Stretch: Sendable {
        var name: String
        var file: RandomAccessFile
        /// The file's tensors in the order of their offsets, none overlapping; empty if only the digest is wanted.
        var tensors: [TensorInfo]
        var range: Range<Int>
        /// The expected digest; nil for none. A stretch with a digest is the whole file.
        var digest: String?
    }

    /// Bad elements of a tensor: the first one's index and their number.
    struct Finding {
        var first: Int
        var count: Int
    }

    /// Fits a processor's own cache, so that the second pass over it reads no memory.
    private static let windowByteCount = 1 << 20

    private(set) var findings: [String: Finding] = [:]
    /// In lower case; nil if it was not wanted or the reading was stopped.
    private(set) var digest: String?

    /// - Parameter advance: told the byte count of every part; false stops the reading.
    init(_ stretch: Stretch, advance: (_ byteCount: Int) -> Bool) throws(CheckpointError) {
        let window = UnsafeMutableRawBufferPointer.allocate(
            byteCount: min(Self.windowByteCount, stretch.range.count), alignment: 4096)
        defer { window.deallocate() }
        var hash = stretch.digest == nil ? nil : SHA256()
        var start = stretch.range.lowerBound
        var next = Self.firstTensor(in: stretch.tensors, endingAfter: start)
        while start < stretch.range.upperBound {
            let end = Self.border(near: min(start + Self.windowByteCount, stretch.range.upperBound), stretch.tensors)
            let bytes = UnsafeMutableRawBufferPointer(rebasing: window[..<(end - start)])
            try stretch.file.read(at: start, into: bytes)
            let read = UnsafeRawBufferPointer(bytes)
            hash?.update(bufferPointer: read)
            while next < stretch.tensors.count, stretch.tensors[next].offset < end {
                let tensor = stretch.tensors[next]
                check(tensor, read, at: start)
                // The rest of the tensor is in the next window.
                guard tensor.offset + tensor.byteCount <= end else { break }
                next += 1
            }
            guard advance(end - start) else { return }
            start = end
        }
        digest = hash.map { $0.finalize().map(Self.hexadecimal).joined() }
    }

    /// Parts of a file that can be read independently.
    static func stretches(
        of file: RandomAccessFile, named name: String, _ tensors: [TensorInfo], byteCount: Int
    ) -> [Stretch] {
        guard var start = tensors.first?.offset, let last = tensors.last else { return [] }
        let end = last.offset + last.byteCount
        var stretches: [Stretch] = []
        while start < end {
            let next = border(near: min(start + byteCount, end), tensors)
            stretches.append(Stretch(name: name, file: file, tensors: tensors, range: start..<next))
            start = next
        }
        return stretches
    }

    /// The last offset up to `offset` that is not within an element.
    private static func border(near offset: Int, _ tensors: [TensorInfo]) -> Int {
        let index = firstTensor(in: tensors, endingAfter: offset)
        guard index < tensors.count, tensors[index].offset < offset else { return offset }
        return offset - (offset - tensors[index].offset) % tensors[index].type.byteCount
    }

    private static func firstTensor(in tensors: [TensorInfo], endingAfter offset: Int) -> Int {
        var (low, high) = (0, tensors.count)
        while low < high {
            let middle = (low + high) / 2
            if tensors[middle].offset + tensors[middle].byteCount > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Checks the part of the tensor that `bytes`, which begin at `start`, hold.
    private mutating func check(_ tensor: TensorInfo, _ bytes: UnsafeRawBufferPointer, at start: Int) {
        let lower = max(tensor.offset, start)
        let upper = min(tensor.offset + tensor.byteCount, start + bytes.count)
        guard lower < upper else { return }
        let part = UnsafeRawBufferPointer(rebasing: bytes[(lower - start)..<(upper - start)])
        let found =
            HuggingFaceNames().parse(tensor.name).component.isScales
            ? Self.notPositive(tensor.type, in: part)
            : FiniteScan.firstNonFinite(tensor.type, in: part).map {
                Finding(first: $0, count: FiniteScan.nonFiniteCount(tensor.type, in: part))
            }
        guard let found else { return }
        let first = (lower - tensor.offset) / tensor.type.byteCount + found.first
        findings[tensor.name, default: Finding(first: first, count: 0)].count += found.count
    }

    /// The scales that are zero, negative, infinite or NaN.
    private static func notPositive(_ type: ElementType, in bytes: UnsafeRawBufferPointer) -> Finding? {
        var finding: Finding?
        for index in 0..<bytes.count / type.byteCount {
            let place = index * type.byteCount
            let value: Float
            switch type {
            case .f32: value = bytes.loadUnaligned(fromByteOffset: place, as: Float.self)
            case .bf16: value = BF16.decode(bytes.loadUnaligned(fromByteOffset: place, as: UInt16.self))
            case .f16: value = FP16.decode(bytes.loadUnaligned(fromByteOffset: place, as: UInt16.self))
            case .e8m0: value = E8M0.decode(bytes[place])
            // The survey reports scales of another type.
            default: return nil
            }
            guard !(value > 0 && value.isFinite) else { continue }
            finding = Finding(first: finding?.first ?? index, count: (finding?.count ?? 0) + 1)
        }
        return finding
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
