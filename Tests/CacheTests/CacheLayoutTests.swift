import Testing

@testable import Cache

struct CacheLayoutTests {
    @Test func theSizesOfV3sCache() {
        let layout = CacheLayout(format: .bf16, kvLoraRank: 512, qkRopeHeadDim: 64)
        #expect(layout.entryWidth == 576 && layout.paddedEntryWidth == 576)
        #expect(layout.entryByteCount == 1152 && layout.pageByteCount == 73_728)
        #expect(layout.byteCount(pages: 3) == 221_184)
        // 128 MiB hold 1820.4 pages.
        #expect(layout.largestContext(bindingByteCount: 128 << 20) == 1820 * 64)
        let wide = CacheLayout(format: .f32, kvLoraRank: 512, qkRopeHeadDim: 64)
        #expect(wide.entryByteCount == 2304 && wide.largestContext(bindingByteCount: 128 << 20) == 910 * 64)
    }

    /// 26 + 6 values need no zeros, 27 + 6 need seven: these take memory too.
    @Test func entriesArePaddedToAMultipleOfEight() {
        #expect(CacheLayout(format: .f32, kvLoraRank: 26, qkRopeHeadDim: 6).paddedEntryWidth == 32)
        let padded = CacheLayout(format: .f32, kvLoraRank: 27, qkRopeHeadDim: 6)
        #expect(padded.entryWidth == 33 && padded.paddedEntryWidth == 40 && padded.pageByteCount == 64 * 160)
        #expect(padded.largestContext(bindingByteCount: 64 * 160 * 5 - 1) == 4 * 64)
        #expect(padded.largestContext(bindingByteCount: 64 * 160 * 5) == 5 * 64)
    }

    /// The longest context's pages fit, and one page more does not.
    @Test(arguments: CacheLayout.Format.allCases, [(512, 64), (80, 16), (26, 7), (1, 0)])
    func theLongestContextIsTheLongest(_ format: CacheLayout.Format, _ widths: (Int, Int)) {
        let layout = CacheLayout(format: format, kvLoraRank: widths.0, qkRopeHeadDim: widths.1)
        for limit in [0, 1, 10_000, 1 << 20, (1 << 27) - 1] {
            let pages = CacheLayout.pageCount(forTokens: layout.largestContext(bindingByteCount: limit))
            #expect(layout.byteCount(pages: pages) <= limit && layout.byteCount(pages: pages + 1) > limit)
        }
    }

    @Test func pagesForTokens() {
        for (tokens, pages) in [(0, 0), (1, 1), (64, 1), (65, 2), (128, 2), (129, 3)] {
            #expect(CacheLayout.pageCount(forTokens: tokens) == pages)
        }
    }
}
