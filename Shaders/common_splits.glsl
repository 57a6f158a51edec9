// How attention over a token's keys is split. A split is one page or pairs of them, and its length depends on nothing but the
// token's own keys and the device: alone and in a batch, a token's sums are the same.

// Keys of each of at most `most` splits of so many; all of them without splits (0).
uint splitLength(uint keyCount, uint most) {
    if (most == 0u) return keyCount;
    uint least = (keyCount + most - 1) / most;
    return least <= 64u ? 64u : (least + 127) / 128 * 128;
}
