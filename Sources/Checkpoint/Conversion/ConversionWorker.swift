import Numerics

/// Converts pieces on one thread and reuses its buffers.
final class ConversionWorker {
    private let source: ConversionSource
    private let values: UnsafeMutablePointer<Float>
    private var read = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var made = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    init(_ source: ConversionSource) {
        self.source = source
        values = .allocate(capacity: 256)
        values.initialize(from: FP8E4M3.values, count: 256)
    }

    deinit {
        values.deallocate()
        read.deallocate()
        made.deallocate()
    }

    /// Reads some rows of a step's source, converts them and writes them at their offsets. Returns the quantisation
    /// error and the number of bytes written.
    func convert(
        _ step: ConversionStep, _ rows: Range<Int>, into file: OutputFile
    ) throws(CheckpointError) -> (RelativeError, byteCount: Int) {
        if case .constant(let bytes) = step.recipe {
            return (RelativeError(), try write(bytes, to: file, at: step.outputs[0].offset))
        }
        let slab = try slab(step, rows)
        let first = rows.lowerBound - step.rows.lowerBound
        func place(_ output: Int, _ row: Int) -> Int {
            let output = step.outputs[output]
            let rowCount = output.shape.count > 1 ? output.shape[0] : step.rows.count
            return output.offset + row * (output.byteCount / max(1, rowCount))
        }
        switch step.recipe {
        case .copy, .constant:
            try file.write(slab.bytes, at: place(0, first))
            return (RelativeError(), slab.bytes.count)
        case .bf16:
            let codes = Self.room(&made, 2 * rows.count * step.columns.count)
            BlockCodec.bf16(slab, values: values, into: codes.bindMemory(to: UInt16.self).baseAddress!)
            try file.write(UnsafeRawBufferPointer(codes), at: place(0, first))
            return (RelativeError(), codes.count)
        case .fp8(let powersOfTwo):
            return try fp8(
                slab, step, powersOfTwo, file, codesAt: place(0, first),
                scalesAt: place(1, first / BlockScaling.blockSize))
        case .integers(let scaling):
            let result = try integers(slab, step, scaling, file, packedAt: place(0, first), scalesAt: place(1, first))
            guard first == 0 else { return result }
            let shape = ConversionStep.bytes([step.rows.count, step.columns.count], as: .i64)
            return (result.0, result.byteCount + (try write(shape, to: file, at: step.outputs[2].offset)))
        }
    }

    /// Reads some rows of a step's source, with their scales.
    private func slab(_ step: ConversionStep, _ rows: Range<Int>) throws(CheckpointError) -> MatrixSlab {
        let tensor = step.source
        let stored = step.packed?.words(step.columns) ?? step.columns
        let input = Self.room(&read, rows.count * stored.count * tensor.type.byteCount)
        try source.read(tensor, rows: rows, columns: stored, into: input)
        var slab = MatrixSlab(
            bytes: UnsafeRawBufferPointer(input), type: tensor.type, rows: rows, columns: step.columns)
        if let packed = step.packed {
            slab.packing = packed.scaling
            slab.scales = try source.scales(of: packed, rows: rows, columns: step.columns)
            slab.scaleColumns = packed.scaling.groupCount(step.columns.count)
        } else if step.recipe != .copy {
            slab.scales = try source.scales(of: tensor)
            slab.scaleColumns = BlockScaling.blockCount(tensor.matrix.columns)
        }
        return slab
    }

    private func fp8(
        _ slab: MatrixSlab, _ step: ConversionStep, _ powersOfTwo: Bool, _ file: OutputFile, codesAt: Int, scalesAt: Int
    ) throws(CheckpointError) -> (RelativeError, byteCount: Int) {
        let codeCount = slab.rows.count * slab.columns.count
        let scaleCount = slab.rowBlocks.count * slab.columnBlocks.count
        let (codes, scales) = Self.halves(&made, codeCount, 4 * scaleCount)
        let error: RelativeError
        do throws(UnscalableWeight) {
            error = try BlockCodec.fp8(
                slab, powersOfTwo: powersOfTwo, values: values,
                codes: codes.bindMemory(to: UInt8.self).baseAddress!,
                scales: scales.bindMemory(to: Float.self).baseAddress!)
        } catch { throw Self.unscalable(error, step) }
        try file.write(UnsafeRawBufferPointer(codes), at: codesAt)
        try file.write(UnsafeRawBufferPointer(scales), at: scalesAt)
        return (error, codes.count + scales.count)
    }

    private func integers(
        _ slab: MatrixSlab, _ step: ConversionStep, _ scaling: GroupScaling, _ file: OutputFile, packedAt: Int,
        scalesAt: Int
    ) throws(CheckpointError) -> (RelativeError, byteCount: Int) {
        let (rows, columns) = (slab.rows.count, slab.columns.count)
        let (packed, scales) = Self.halves(
            &made, rows * scaling.wordCount(columns) * 4, rows * scaling.groupCount(columns) * 2)
        let error: RelativeError
        do throws(UnscalableWeight) {
            error = try GroupCodec.quantize(
                slab, scaling, values: values, packed: packed.bindMemory(to: UInt8.self).baseAddress!,
                scales: scales.bindMemory(to: UInt16.self).baseAddress!)
        } catch { throw Self.unscalable(error, step) }
        try file.write(UnsafeRawBufferPointer(packed), at: packedAt)
        try file.write(UnsafeRawBufferPointer(scales), at: scalesAt)
        return (error, packed.count + scales.count)
    }

    private func write(_ bytes: [UInt8], to file: OutputFile, at offset: Int) throws(CheckpointError) -> Int {
        try file.write(bytes, at: offset)
        return bytes.count
    }

    private static func unscalable(_ weight: UnscalableWeight, _ step: ConversionStep) -> CheckpointError {
        CheckpointError(
            .damaged, "\(step.name) [\(weight.row), \(weight.column)]", expected: "a weight that a scale can stand for",
            found: "\(weight.value)", advice: "the file is damaged, or this tensor needs another format")
    }

    /// The first `byteCount` bytes of a buffer, which grows if necessary.
    private static func room(
        _ buffer: inout UnsafeMutableRawBufferPointer, _ byteCount: Int
    ) -> UnsafeMutableRawBufferPointer {
        if buffer.count < max(byteCount, 1) {
            buffer.deallocate()
            buffer = .allocate(byteCount: max(byteCount, 1), alignment: 64)
        }
        return UnsafeMutableRawBufferPointer(rebasing: buffer[..<byteCount])
    }

    /// Two separate parts of a buffer, of `first` and `second` bytes. Both are aligned for any element.
    private static func halves(
        _ buffer: inout UnsafeMutableRawBufferPointer, _ first: Int, _ second: Int
    ) -> (UnsafeMutableRawBufferPointer, UnsafeMutableRawBufferPointer) {
        let start = (first + 63) / 64 * 64
        let all = room(&buffer, start + second)
        return (
            UnsafeMutableRawBufferPointer(rebasing: all[..<first]),
            UnsafeMutableRawBufferPointer(rebasing: all[start..<start + second])
        )
    }
}
