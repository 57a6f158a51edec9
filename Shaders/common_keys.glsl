// Reading the cache's entries as keys and values. Needs common_cache.glsl, and the buffer `uvec4 cache[]` before it.

// Values 8i ... 8i + 7 of the entry whose first value has the index `offset`.
mat2x4 cacheEight(uint offset, uint i) {
    if (CACHE_BF16) {
        uvec4 words = cache[offset / 8 + i];
        uvec4 even = words << 16, odd = words & 0xFFFF0000u;
        return mat2x4(
            uintBitsToFloat(uvec4(even.x, odd.x, even.y, odd.y)), uintBitsToFloat(uvec4(even.z, odd.z, even.w, odd.w)));
    }
    return mat2x4(uintBitsToFloat(cache[offset / 4 + 2 * i]), uintBitsToFloat(cache[offset / 4 + 2 * i + 1]));
}
