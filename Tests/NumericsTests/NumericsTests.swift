import Numerics
import Testing

@Suite struct CodecTests {
    /// The value of a code, computed from the format's definition.
    private func value(sign: UInt32, exponent: Int, fraction: Int, fractionBits: Int, bias: Int) -> Double {
        var value = Double(fraction)
        for _ in 0..<fractionBits { value /= 2 }
        if exponent > 0 { value += 1 }
        for _ in 0..<max(exponent, 1) { value *= 2 }
        for _ in 0..<bias { value /= 2 }
        return sign == 0 ? value : -value
    }

    @Test func everyFP8Code() {
        for code in 0...255 {
            let found = FP8E4M3.decode(UInt8(code))
            if code == 0x7F || code == 0xFF {
                #expect(found.isNaN)
                #expect(FP8E4M3.encode(found).isMultiple(of: 0x80) == false)
                continue
            }
            let expected = value(
                sign: UInt32(code) >> 7, exponent: code >> 3 & 15, fraction: code & 7, fractionBits: 3, bias: 7)
            #expect(Double(found) == expected && found.sign == (code < 128 ? .plus : .minus), "code \(code)")
            #expect(FP8E4M3.encode(found) == UInt8(code), "code \(code)")
        }
        #expect(FP8E4M3.decode(0x7E) == FP8E4M3.greatest)
        #expect(FP8E4M3.decode(0x01) == 0x1p-9)
    }

    @Test func fp8RoundsToNearestEven() {
        for code in UInt8(0)..<0x7E {
            let low = FP8E4M3.decode(code)
            let high = FP8E4M3.decode(code + 1)
            let middle = (low + high) / 2
            let even = code.isMultiple(of: 2) ? code : code + 1
            #expect(FP8E4M3.encode(middle) == even, "between codes \(code) and \(code + 1)")
            #expect(FP8E4M3.encode(middle.nextDown) == code)
            #expect(FP8E4M3.encode(middle.nextUp) == code + 1)
            #expect(FP8E4M3.encode(-middle) == even | 0x80)
        }
    }

    @Test func fp8Saturates() {
        for value: Float in [448, 449, 464, 1e9, .greatestFiniteMagnitude, .infinity] {
            #expect(FP8E4M3.encode(value) == 0x7E)
            #expect(FP8E4M3.encode(-value) == 0xFE)
        }
        #expect(FP8E4M3.encode(.nan) & 0x7F == 0x7F)
        #expect(FP8E4M3.encode(0) == 0 && FP8E4M3.encode(-0.0) == 0x80)
        #expect(FP8E4M3.encode(.leastNonzeroMagnitude) == 0)
    }

    @Test func everyBF16Code() {
        var wrong: [UInt16] = []
        for code in UInt16.min...UInt16.max {
            let decoded = BF16.decode(code)
            let isNaN = code & 0x7F80 == 0x7F80 && code & 0x7F != 0
            let expected = isNaN ? code | 0x40 : code
            if decoded.isNaN != isNaN || BF16.encode(decoded) != expected { wrong.append(code) }
        }
        #expect(wrong.isEmpty)
        #expect(BF16.decode(0x3F80) == 1 && BF16.decode(0xC040) == -3 && BF16.decode(0x7F80) == .infinity)
    }

    @Test func bf16RoundsToNearestEven() {
        var wrong: [UInt16] = []
        // Codes up to the largest finite one, whose upper midpoint rounds to infinity.
        for code in UInt16(0)...0x7F7F {
            let middle = Float(bitPattern: UInt32(code) << 16 | 0x8000)
            let even = code.isMultiple(of: 2) ? code : code + 1
            let isRight =
                BF16.encode(middle) == even && BF16.encode(-middle) == even | 0x8000
                && BF16.encode(middle.nextDown) == code && BF16.encode(middle.nextUp) == code + 1
            if !isRight { wrong.append(code) }
        }
        #expect(wrong.isEmpty)
        #expect(BF16.encode(.greatestFiniteMagnitude) == 0x7F80)
        // NaNs whose payload has bits in the lower half.
        #expect(BF16.decode(BF16.encode(Float(bitPattern: 0x7F80_0001))).isNaN)
        #expect(BF16.decode(BF16.encode(Float(bitPattern: 0xFFFF_FFFF))).isNaN)
    }

    @Test func everyFP16Code() {
        var wrong: [UInt16] = []
        for code in UInt16.min...UInt16.max {
            let found = FP16.decode(code)
            let (exponent, fraction) = (Int(code >> 10 & 31), Int(code & 1023))
            if exponent == 31 {
                let isRight = fraction == 0 ? found.isInfinite : found.isNaN
                if !isRight || fraction == 0 && FP16.encode(found) != code { wrong.append(code) }
                continue
            }
            let expected = value(
                sign: UInt32(code >> 15), exponent: exponent, fraction: fraction, fractionBits: 10, bias: 15)
            if Double(found) != expected || FP16.encode(found) != code { wrong.append(code) }
        }
        #expect(wrong.isEmpty)
    }

    @Test func fp16RoundsToNearestEven() {
        #expect(FP16.encode(2049) == FP16.encode(2048) && FP16.encode(2051) == FP16.encode(2052))
        #expect(FP16.encode(65519) == 0x7BFF && FP16.encode(65520) == 0x7C00)
        #expect(FP16.encode(0x1p-25) == 0 && FP16.encode(0x1.8p-24) == 2)
    }

    @Test func everyE8M0Code() {
        for code in UInt8(0)..<0xFF {
            #expect(E8M0.decode(code) == Float(sign: .plus, exponent: Int(code) - 127, significand: 1))
        }
        #expect(E8M0.decode(0xFF).isNaN)
    }

    @Test func typeNames() {
        #expect(ElementType(safetensorsName: "F8_E4M3") == .fp8E4M3)
        #expect(ElementType(safetensorsName: "F8_E8M0")?.byteCount == 1)
        #expect(ElementType(safetensorsName: "bf16") == nil)
        for type in ElementType.allCases { #expect(ElementType(safetensorsName: type.safetensorsName) == type) }
    }
}

@Suite struct BlockScalingTests {
    @Test func everyElementTakesItsBlocksScale() {
        let (rows, columns) = (130, 257)
        var random = SeededRandom(seed: 1)
        let codes = (0..<rows * columns).map { _ in UInt8.random(in: 0..<0x7F, using: &random) }
        let scales: [Float] = [1, 2, 4, 8, 16, 32]
        let weights = codes.withUnsafeBytes {
            BlockScaling.dequantized(codes: $0, scales: scales, rows: rows, columns: columns)
        }
        #expect(weights[0] == FP8E4M3.decode(codes[0]))
        #expect(weights[127 * 257 + 128] == FP8E4M3.decode(codes[127 * 257 + 128]) * 2)
        #expect(weights[127 * 257 + 256] == FP8E4M3.decode(codes[127 * 257 + 256]) * 4)
        #expect(weights[128 * 257] == FP8E4M3.decode(codes[128 * 257]) * 8)
        #expect(weights[129 * 257 + 256] == FP8E4M3.decode(codes[129 * 257 + 256]) * 32)
    }

    @Test func blockCounts() {
        #expect([1, 128, 129, 576].map(BlockScaling.blockCount) == [1, 1, 2, 5])
    }
}

@Suite struct FiniteScanTests {
    /// Puts a bad value at every index of a buffer that is long enough for the vector loop and the remainder, at two
    /// alignments.
    @Test(arguments: [ElementType.fp8E4M3, .bf16, .f16, .f32, .f64, .fp8E5M2, .e8m0])
    func findsTheFirst(_ type: ElementType) {
        let width = type.byteCount
        let bad: [[UInt8]] =
            switch type {
            case .fp8E4M3: [[0x7F], [0xFF]]
            case .bf16: [[0x80, 0x7F], [0x80, 0xFF], [0x81, 0xFF]]
            case .f16: [[0x00, 0x7C], [0x01, 0xFC]]
            case .f32: [[0, 0, 0x80, 0x7F], [1, 0, 0x80, 0xFF]]
            case .f64: [[0, 0, 0, 0, 0, 0, 0xF0, 0x7F], [1, 0, 0, 0, 0, 0, 0xF8, 0xFF]]
            case .fp8E5M2: [[0x7C], [0xFF]]
            default: [[0xFF]]
            }
        // Elements other than the first: the finite value of the largest magnitude.
        let good: [UInt8] =
            switch type {
            case .fp8E4M3: [0xFE]
            case .bf16: [0xFF, 0xFE]
            case .f16: [0xFF, 0xFB]
            case .f32: [0xFF, 0xFF, 0x7F, 0xFF]
            case .f64: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xEF, 0xFF]
            case .fp8E5M2: [0xFB]
            default: [0xFE]
            }
        let count = 151
        let clean = [UInt8](repeating: 0, count: width) + (1..<count).flatMap { _ in good }
        #expect(clean.withUnsafeBytes { FiniteScan.firstNonFinite(type, in: $0) } == nil)
        #expect(clean.withUnsafeBytes { FiniteScan.nonFiniteCount(type, in: $0) } == 0)
        for index in 0..<count {
            for pattern in bad {
                var bytes = clean
                bytes.replaceSubrange(index * width..<(index + 1) * width, with: pattern)
                bytes.replaceSubrange((count - 1) * width..<count * width, with: pattern)
                #expect(bytes.withUnsafeBytes { FiniteScan.firstNonFinite(type, in: $0) } == index)
                let badCount = index == count - 1 ? 1 : 2
                #expect(bytes.withUnsafeBytes { FiniteScan.nonFiniteCount(type, in: $0) } == badCount)
                let shifted = [0xFF] + bytes
                let found = shifted.withUnsafeBytes {
                    FiniteScan.firstNonFinite(type, in: UnsafeRawBufferPointer(rebasing: $0[1...]))
                }
                #expect(found == index)
            }
        }
    }

    @Test func everyCode() {
        for code in UInt16.min...UInt16.max {
            withUnsafeBytes(of: code) { bytes in
                let expected = BF16.decode(code).isFinite ? nil : 0
                if FiniteScan.firstNonFinite(.bf16, in: bytes) != expected { Issue.record("BF16 \(code)") }
                let half = FP16.decode(code).isFinite ? nil : 0
                if FiniteScan.firstNonFinite(.f16, in: bytes) != half { Issue.record("FP16 \(code)") }
            }
        }
    }

    @Test func emptyAndIntegers() {
        #expect(FiniteScan.firstNonFinite(.f32, in: UnsafeRawBufferPointer(start: nil, count: 0)) == nil)
        #expect([Int32(-1), -1].withUnsafeBytes { FiniteScan.firstNonFinite(.i32, in: $0) } == nil)
    }
}

@Suite struct ComparisonTests {
    @Test func distance() {
        #expect(similarityDistance([1, 2, 3], [1, 2, 3]) == 0)
        #expect(similarityDistance([1, 0], [0, 1]) == 1)
        #expect(similarityDistance([1, 2], [-1, -2]) == 2)
        #expect(similarityDistance([0, 0], [0, 0]) == 0)
        #expect(similarityDistance([0, 0], [0, 1e-20]) == 1)
        // A vector and twice the vector: 1 − 2·2 / (1 + 4).
        #expect(abs(similarityDistance([1, 0], [2, 0]) - 0.2) < 1e-15)
        for bad: Float in [.nan, .infinity, -.infinity] {
            #expect(similarityDistance([1, bad], [1, 2]) == .infinity)
            #expect(similarityDistance([1, 2], [1, bad]) == .infinity)
            #expect(similarityDistance([1, bad], [1, bad]) == .infinity)
        }
        let small = similarityDistance([1, 1], [1, 1.0000001])
        #expect(small > 1e-15 && small < 1e-14)
    }

    @Test func worstElement() {
        let comparison = Comparison(expected: [1, 100, -4], found: [1.5, 101, -2])
        #expect(comparison.worstIndex == 2 && comparison.expected == -4 && comparison.found == -2)
        #expect(comparison.maxAbsoluteError == 2 && comparison.maxRelativeError == 0.5)
        #expect(Comparison(expected: [0], found: [0.5]).maxRelativeError == 0)
        #expect(Comparison(expected: [1, 1e-9], found: [1, 1], relativeFloor: 1e-6).maxRelativeError == 0)
    }

    @Test func notANumberIsTheWorst() {
        let comparison = Comparison(expected: [1, 2, 3], found: [100, .nan, .nan])
        #expect(comparison.worstIndex == 1 && comparison.found.isNaN)
        #expect(comparison.maxAbsoluteError == .infinity && comparison.distance == .infinity)
        #expect(comparison.maxRelativeError == .infinity)
        #expect(Comparison(expected: [.infinity], found: [.infinity]).maxAbsoluteError == 0)
        #expect(comparison.description.contains("worst at 1: expected 2.0, found nan"))
    }
}

@Suite struct SeededRandomTests {
    /// The first outputs of SplitMix64's published C implementation for seed 1234567.
    @Test func knownSequence() {
        var random = SeededRandom(seed: 1_234_567)
        let expected: [UInt64] = [
            6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
        ]
        #expect(expected.map { _ in random.next() } == expected)
        #expect(expected.indices.map { SeededRandom.value($0, seed: 1_234_567) } == expected)
    }

    @Test func distributions() {
        var random = SeededRandom(seed: 7)
        let units = (0..<10_000).map { _ in random.nextUnit() }
        #expect(units.allSatisfy { (0..<1).contains($0) })
        #expect(abs(units.reduce(0, +) / 10_000 - 0.5) < 0.02)
        let normals = random.normals(20_000, scale: 3)
        let mean = normals.reduce(0, +) / 20_000
        let variance = normals.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 20_000
        #expect(abs(mean) < 0.1 && abs(variance - 9) < 0.4)
        #expect(normals.allSatisfy { $0.isFinite })
    }

    @Test func printableTextHasNoControlCharacters() {
        #expect("plain, 漢字 😀".printable == "plain, 漢字 😀")
        #expect("\u{1B}]0;t\u{7}\r\n\t\u{7F}".printable == "^[]0;t^G^M^J^I^?")
        #expect("\u{9B}31m\u{202E}\u{2066}\u{2028}\u{61C}".printable == "<9B>31m<202E><2066><2028><61C>")
    }
}
