@testable import Checkpoint

/// Fuzzes the reading of weights in `verify`, without a config. The input's first byte is the value of all data bytes.
/// Then follow the index, the headers of two files and a list of checksums, separated by bytes 0x1E. Since all elements
/// of a tensor are equal, all of them are bad or none.
func fuzz(_ input: UnsafeRawBufferPointer) {
    guard let value = input.first else { return }
    let parts = input.dropFirst().split(separator: 0x1E, maxSplits: 3, omittingEmptySubsequences: false)
    func part(_ index: Int, or text: String) -> [UInt8] {
        index < parts.count && !parts[index].isEmpty ? Array(parts[index]) : bytes(text)
    }

    var files: [String: UnsafeRawBufferPointer] = [:]
    var made: [UnsafeMutableRawBufferPointer] = []
    defer { for file in made { file.deallocate() } }
    func add(_ name: String, _ bytes: [UInt8], dataCount: Int = 0) {
        let file = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count + dataCount, alignment: 16)
        file.copyBytes(from: bytes)
        UnsafeMutableRawBufferPointer(rebasing: file[bytes.count...]).initializeMemory(as: UInt8.self, repeating: value)
        made.append(file)
        files[name] = UnsafeRawBufferPointer(file)
    }
    add(ShardSet.indexFile, part(0, or: #"{"weight_map":{"x":"a.safetensors","y":"b.safetensors"}}"#))
    for (index, name) in [(1, "a.safetensors"), (2, "b.safetensors")] {
        let header = part(index, or: oneTensor(index == 1 ? "x" : "y"))
        // As much data as the header requires, up to a limit. The data of headers with faults is not read.
        let end = (try? SafetensorsHeader.entries(json: header, name: name))?.last?.range.upperBound ?? 64
        add(name, SafetensorsHeader.length(header.count) + header, dataCount: min(end, 4096))
    }

    let source = CheckpointSource.memory(name: "input", files)
    guard let found = survey(source) else { return }
    let list = try? ChecksumList(part(3, or: ""), name: "checksums")
    var (done, total) = (0, 0)
    let problems = found.read(list, stretchByteCount: 64) {
        (done, total) = ($0, $1)
        return true
    }
    check(problems != nil && done == total, "\(done) of \(total) bytes were read")
    for problem in problems ?? [] {
        check(!problem.error.description.isEmpty, "an empty description")
        guard let bad = problem.badElements, let tensor = problem.tensor.flatMap({ found.shards.tensors[$0] }) else {
            continue
        }
        check(bad.first == tensor.shape.map { _ in 0 }, "\(tensor.name) \(tensor.shape) is first bad at \(bad.first)")
        check(bad.count == tensor.elementCount, "\(bad.count) of \(tensor.elementCount) in \(tensor.name)")
    }
}

/// The header of a file with one tensor.
private func oneTensor(_ name: String) -> String {
    #"{"\#(name)":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}"#
}
