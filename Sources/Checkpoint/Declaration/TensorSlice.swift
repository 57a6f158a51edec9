/// Some rows and columns of a stored tensor. A vector counts as rows of one column.
public struct TensorSlice: Sendable, Equatable {
    public let tensor: TensorInfo
    public let rows, columns: Range<Int>

    /// All of a tensor.
    public init(_ tensor: TensorInfo) {
        let (rows, columns) = tensor.matrix
        self.init(tensor, rows: 0..<rows, columns: 0..<columns)
    }

    public init(_ tensor: TensorInfo, rows: Range<Int>, columns: Range<Int>) {
        self.tensor = tensor
        self.rows = rows
        self.columns = columns
    }

    public var rowByteCount: Int { columns.count * tensor.type.byteCount }
    public var byteCount: Int { rows.count * rowByteCount }
    public var elementCount: Int { rows.count * columns.count }
    /// Whether the rows are whole, so that they follow each other without gaps in the file.
    public var hasWholeRows: Bool { columns == 0..<tensor.matrix.columns }

    /// `count` of the slice's rows from its row `first` on.
    public func rows(from first: Int, count: Int) -> TensorSlice {
        let start = rows.lowerBound + first
        precondition(
            first >= 0 && start + count <= rows.upperBound, "\(tensor.name): rows \(first) to \(first + count)")
        return TensorSlice(tensor, rows: start..<start + count, columns: columns)
    }

    /// Reads the elements row by row: whole rows at once, parts of rows one by one.
    ///
    /// - Parameter read: reads bytes of the tensor from an offset on.
    func read<E: Error>(
        into target: UnsafeMutableRawBufferPointer,
        _ read: (_ offset: Int, UnsafeMutableRawBufferPointer) throws(E) -> Void
    ) throws(E) {
        let (size, width) = (tensor.type.byteCount, tensor.matrix.columns)
        if hasWholeRows { return try read(rows.lowerBound * width * size, target) }
        for (index, row) in rows.enumerated() {
            try read(
                (row * width + columns.lowerBound) * size,
                UnsafeMutableRawBufferPointer(rebasing: target[index * rowByteCount..<(index + 1) * rowByteCount]))
        }
    }
}

extension TensorInfo {
    /// The tensor as rows and columns: its first dimension, and all others.
    public var matrix: (rows: Int, columns: Int) {
        guard let rows = shape.first else { return (1, 1) }
        return (rows, shape.dropFirst().reduce(1, *))
    }
}

extension Checkpoint {
    /// Fills `destination` with a slice's elements, row by row.
    public func read(
        _ slice: TensorSlice, into destination: UnsafeMutableRawBufferPointer
    ) throws(CheckpointError) {
        try slice.read(into: destination) { (offset, bytes) throws(CheckpointError) in
            try read(slice.tensor, offset: offset, into: bytes)
        }
    }
}
