import CZlib

/// The bytes as a gzip file (RFC 1952), which trace viewers open directly.
public func gzipped(_ bytes: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    // 15 selects the largest window; adding 16 selects the gzip format.
    let opened = deflateInit2_(
        &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size))
    precondition(opened == Z_OK, "deflateInit2: \(opened)")
    defer { deflateEnd(&stream) }
    var result = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))))
    var input = bytes
    let size = result.count
    let code = input.withUnsafeMutableBufferPointer { input in
        result.withUnsafeMutableBufferPointer { output in
            // zlib's sizes are 32-bit, so that large inputs need several pieces.
            var (taken, made) = (0, 0)
            while true {
                let (inputPart, outputPart) = (min(input.count - taken, 1 << 30), min(size - made, 1 << 30))
                stream.next_in = input.baseAddress.map { $0 + taken }
                stream.avail_in = uInt(inputPart)
                stream.next_out = output.baseAddress! + made
                stream.avail_out = uInt(outputPart)
                let code = deflate(&stream, taken + inputPart == input.count ? Z_FINISH : Z_NO_FLUSH)
                taken += inputPart - Int(stream.avail_in)
                made += outputPart - Int(stream.avail_out)
                if code != Z_OK { return code }
            }
        }
    }
    precondition(code == Z_STREAM_END, "deflate: \(code) of \(bytes.count) bytes")
    return Array(result.prefix(Int(stream.total_out)))
}
