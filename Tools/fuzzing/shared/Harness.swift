/// What libFuzzer calls. Each target brings its own `fuzz(_:)`, in which a trap, a read outside the input, a leak, too
/// much time or memory, or a property that does not hold is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    fuzz(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}

/// Ends the process, with a line that says why, if a property does not hold.
func check(_ holds: Bool, _ property: @autoclosure () -> String) {
    if !holds { fatalError(property()) }
}

/// The bytes of a string; Swift's own comparison takes canonical equivalents for equal.
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// Bytes in memory that is never given back.
func kept(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    memory.copyBytes(from: bytes)
    return UnsafeRawBufferPointer(memory)
}

/// A safetensors file of this header and so many zeros.
func safetensors(header: [UInt8], dataCount: Int) -> [UInt8] {
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
    return length + header + [UInt8](repeating: 0, count: dataCount)
}
