// The paged latent cache: entry `position` of a sequence is in page pageTable[sequence * maxPages + position / 64].
// An entry holds width values, RMS(c) then rope(k_pe) and zeros up to a multiple of 8, as F32 words or as pairs of BF16.

layout(constant_id = 1) const bool CACHE_BF16 = false;
const uint PAGE = 64u;

// Word (F32) or half word (BF16) index of an entry's first value.
uint entryOffset(uint page, uint position, uint width) { return (page * PAGE + position % PAGE) * width; }

// BF16 nearest even; cache values are finite.
uint toBF16(float value) {
    uint bits = floatBitsToUint(value);
    return (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
}
