/// The entry point of libFuzzer. Each target defines `fuzz(_:)`. A trap, a read outside the input, a leak, a timeout,
/// too much memory, or a failed `check` is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    fuzz(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}

/// Ends the process with a message if a property does not hold.
func check(_ holds: Bool, _ property: @autoclosure () -> String) {
    if !holds { fatalError(property()) }
}

/// The bytes of a string, for comparison. (Swift's `==` treats canonically equivalent strings as equal.)
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// A copy of the bytes that is never freed.
func kept(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    memory.copyBytes(from: bytes)
    return UnsafeRawBufferPointer(memory)
}

/// A safetensors file with this header and `dataCount` zero bytes of data.
func safetensors(header: [UInt8], dataCount: Int) -> [UInt8] {
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
    return length + header + [UInt8](repeating: 0, count: dataCount)
}
