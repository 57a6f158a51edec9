import Numerics

/// How a layer's latent cache is laid out: `[pages · 64, paddedEntryWidth]`, one entry a token.
///
/// An entry is (RMSNorm(c) · weight, rope(k)): kvLoraRank latent values, then qkRopeHeadDim values of the key that all heads
/// share. Callers take sizes in bytes from here and compute none from a width and a type, so that a format may keep
/// something beside the values, such as scales.
/// Source: DeepSeek-V2 report, section 2.1.
public struct CacheLayout: Sendable, Hashable {
    /// The element type of a stored entry.
    public enum Format: String, Sendable, Hashable, CaseIterable {
        case f32, bf16

        /// The type of a value in memory.
        public var elementType: ElementType {
            switch self {
            case .f32: .f32
            case .bf16: .bf16
            }
        }
    }

    /// Tokens of a page.
    public static let pageTokenCount = 64

    public let format: Format
    public let kvLoraRank, qkRopeHeadDim: Int

    public init(format: Format, kvLoraRank: Int, qkRopeHeadDim: Int) {
        precondition(
            kvLoraRank > 0 && qkRopeHeadDim >= 0, "cache entry of \(kvLoraRank) latent and \(qkRopeHeadDim) rope values"
        )
        self.format = format
        self.kvLoraRank = kvLoraRank
        self.qkRopeHeadDim = qkRopeHeadDim
    }

    /// Values of an entry.
    public var entryWidth: Int { kvLoraRank + qkRopeHeadDim }
    /// Columns of an entry: its values, and zeros up to a multiple of 8, so that kernels can read 16 bytes at a time.
    public var paddedEntryWidth: Int { (entryWidth + 7) / 8 * 8 }

    /// Bytes of a token's entry in one layer.
    public var entryByteCount: Int { paddedEntryWidth * format.elementType.byteCount }
    /// Bytes of a page in one layer.
    public var pageByteCount: Int { Self.pageTokenCount * entryByteCount }

    /// Pages that `tokenCount` tokens of one sequence take.
    public static func pageCount(forTokens tokenCount: Int) -> Int {
        (tokenCount + pageTokenCount - 1) / pageTokenCount
    }

    /// Bytes of one layer's cache of so many pages.
    public func byteCount(pages: Int) -> Int { pages * pageByteCount }

    /// The longest context, in tokens and whole pages, of a cache that takes at most `byteCount` bytes a layer. A layer's
    /// cache is one binding, so a device's `maxStorageBufferRange` limits it.
    public func largestContext(bindingByteCount byteCount: Int) -> Int {
        byteCount / pageByteCount * Self.pageTokenCount
    }
}
