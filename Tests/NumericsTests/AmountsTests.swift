import Numerics
import Testing

@Suite struct AmountsTests {
    @Test func bytesForPeople() {
        #expect(
            [0, 1023, 1024, 1536, 10 << 30, 1 << 62].map(byteText) == [
                "0 B", "1023 B", "1 KiB", "1.5 KiB", "10 GiB", "4096 PiB",
            ])
    }

    @Test func decimals() {
        #expect(
            fixed(12.5, 2) == "12.50" && fixed(0.049, 1) == "0.0" && fixed(-0.04, 1) == "0.0"
                && fixed(-1.26, 1) == "-1.3")
        #expect(
            fixed(2.5, 0) == "3" && fixed(9.996, 2) == "10.00" && fixed(.infinity, 1) == "inf"
                && fixed(0.05, 2) == "0.05")
    }

    @Test func medians() {
        #expect(median([3]) == 3 && median([4, 1, 3]) == 3 && median([4, 1, 3, 2]) == 2.5)
    }
}
