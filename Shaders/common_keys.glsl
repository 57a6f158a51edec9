// Reading the cache's entries as keys and values. Needs common_cache.glsl, and the buffer cache before it.

// Values 2i and 2i + 1 after `offset`, which is even.
vec2 cachePair(uint offset, uint i) {
    if (CACHE_BF16) {
        uint word = cache[offset / 2 + i];
        return uintBitsToFloat(uvec2(word << 16, word & 0xFFFF0000u));
    }
    return uintBitsToFloat(uvec2(cache[offset + 2 * i], cache[offset + 2 * i + 1]));
}
