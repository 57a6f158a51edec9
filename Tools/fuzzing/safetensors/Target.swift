@testable import Checkpoint

/// The input is a safetensors file. Its first two bytes are the number of zero bytes of data, and the rest is the
/// header. If both are 255, the rest is a whole file, including the header's length.
func fuzz(_ input: UnsafeRawBufferPointer) {
    guard input.count >= 2 else { return }
    let rest = UnsafeRawBufferPointer(rebasing: input[2...])
    let dataCount = Int(input[0]) << 8 | Int(input[1])
    guard dataCount < 0xFFFF else { return open(rest) }
    safetensors(header: Array(rest), dataCount: dataCount).withUnsafeBytes { open($0) }
}

/// If the file has no faults, its tensors have the sizes that their types and shapes require and cover the data
/// exactly.
private func open(_ bytes: UnsafeRawBufferPointer) {
    // Without a config.json, which has a separate target.
    guard let found = survey(.memory(name: "input", [ShardSet.singleFile: bytes])) else { return }
    var notes: [String] = []
    let (problems, weights) = WeightList.problems(found.shards.tensors, for: SmallModel.config, notes: &notes)
    for problem in problems { check(!problem.error.description.isEmpty, "an empty description") }
    guard let file = found.shards.files[ShardSet.singleFile], file.faults.isEmpty else { return }
    do throws(CheckpointError) {
        var covered = 0
        for tensor in file.tensors.values {
            let size = tensor.shape.reduce(tensor.type.byteCount, *)
            check(size == tensor.byteCount, "\(tensor.name) has \(tensor.byteCount) bytes instead of \(size)")
            let (rows, columns) = tensor.matrix
            check(rows * columns == tensor.elementCount, "\(tensor.name) is \(rows) by \(columns)")
            check(tensor.offset >= 8 && size <= bytes.count - tensor.offset, "\(tensor.name) is outside the file")
            let stored = try file.bytes(tensor)
            check(stored.elementsEqual(bytes[tensor.offset..<tensor.offset + size]), "\(tensor.name) is misread")
            var half = [UInt8](repeating: 1, count: size - size / 2)
            try read(file, tensor, from: size / 2, &half)
            check(half.elementsEqual(stored[(size / 2)...]), "\(tensor.name)'s second half is misread")
            var tooMuch = [UInt8](repeating: 1, count: size + 1)
            check((try? read(file, tensor, from: 0, &tooMuch)) == nil, "\(tensor.name) is read beyond its end")
            covered += size
        }
        let census = ModelCensus(weights, file.tensors)
        check(census.byteCount == covered, "\(census.byteCount) bytes instead of \(covered)")
        let header = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        check(8 + header + covered == bytes.count, "\(covered) bytes of tensors in \(bytes.count)")
    } catch { fatalError(error.description) }
}

private func read(
    _ file: SafetensorsFile, _ tensor: TensorInfo, from offset: Int, _ destination: inout [UInt8]
) throws(CheckpointError) {
    try destination.withUnsafeMutableBufferPointer { (buffer) throws(CheckpointError) in
        try file.read(tensor, offset: offset, into: UnsafeMutableRawBufferPointer(buffer))
    }
}
