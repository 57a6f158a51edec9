// How attention over a token's keys is split. A split is whole pages, and its length depends on nothing but the token's own
// keys and the device: alone and in a batch, a token's sums are the same.

const uint SPLIT_UNIT = 64u;  // the page

// Keys of each of at most `most` splits of so many; all of them without splits (0).
uint splitLength(uint keyCount, uint most) {
    return most == 0u ? keyCount : (keyCount + SPLIT_UNIT * most - 1) / (SPLIT_UNIT * most) * SPLIT_UNIT;
}
