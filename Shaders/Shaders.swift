import GPU

extension AllShaders {
    /// Tells one set of shaders from another: FNV-1a over their own hashes.
    public static let hash = modules.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { hash, module in
        withUnsafeBytes(of: module.hash.littleEndian) { $0.reduce(hash) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } }
    }
}
