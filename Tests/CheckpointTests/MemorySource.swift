import Checkpoint

/// Calls `body` with a source of these files in memory.
func withMemory<Result>(
    _ files: [String: [UInt8]], _ body: (CheckpointSource) throws -> Result
) rethrows -> Result {
    var buffers: [String: UnsafeRawBufferPointer] = [:]
    var made: [UnsafeMutableRawBufferPointer] = []
    defer { for buffer in made { buffer.deallocate() } }
    for (name, bytes) in files {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        buffer.copyBytes(from: bytes)
        made.append(buffer)
        buffers[name] = UnsafeRawBufferPointer(buffer)
    }
    return try body(.memory(name: "memory", buffers))
}
