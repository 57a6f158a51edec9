#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The machine's main memory.
enum SystemMemory {
    /// Bytes that can be allocated without swapping, as the kernel estimates; all memory where it does not tell.
    static func available() -> Int {
        if let kilobytes = memInfo("MemAvailable:") { return kilobytes * 1024 }
        return sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    }

    /// A line's number in /proc/meminfo, in units of 1024 bytes.
    private static func memInfo(_ key: String) -> Int? {
        guard let file = fopen("/proc/meminfo", "re") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, CInt(line.count), file) != nil {
            let words = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                .split(whereSeparator: \.isWhitespace)
            if words.count >= 2, words[0] == key { return Int(words[1]) }
        }
        return nil
    }
}
