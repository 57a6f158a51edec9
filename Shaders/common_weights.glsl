// Weights in chunks of 16 bytes (a uvec4): 32 codes of INT4, 16 of INT8 or FP8, 8 BF16 or F16, or 4 F32, decoded four at a
// time. Every row starts at a whole chunk; the padding is finite.

// 0 F32, 1 BF16, 2 F16, 3 FP8 E4M3 with a scale for each 128 x 128; with a scale for each 32, 64 or 128 columns of a row:
// 4, 5, 6 INT8 and 7, 8, 9 INT4, stored with 128 or 8 added.
layout(constant_id = 0) const uint FORMAT = 0u;
const bool SCALED = FORMAT >= 3u, INTEGERS = FORMAT >= 4u, INT4 = FORMAT >= 7u;

// Groups of four elements in a chunk, and elements in a chunk.
const uint QUADS = INT4 ? 8u : (SCALED ? 4u : (FORMAT == 0u ? 1u : 2u));
const uint CHUNK = QUADS * 4u;
// Rows and columns that have one scale; no chunk has two.
const uint SCALE_ROWS = INTEGERS ? 1u : 128u;
const uint SCALE_COLUMNS = INTEGERS ? 32u << (FORMAT - 4u) % 3u : 128u;

// Four E4M3 codes, each times 2^-8, exact (NaN codes excepted; the loader refuses them).
// E4M3 is s eeee mmm with bias 7; shifted into F16's s eeeee mmmmmmmmmm (bias 15) the value is 2^-8 of the true one,
// subnormals included. The odd bytes are already at the top of their halves.
vec4 decodeE4M3(uint word) {
    uint odd = word & 0xFF00FF00u;
    uint even = (word << 8) & 0xFF00FF00u;
    vec2 o = unpackHalf2x16((odd & 0x80008000u) | ((odd & 0x7F007F00u) >> 1));
    vec2 e = unpackHalf2x16((even & 0x80008000u) | ((even & 0x7F007F00u) >> 1));
    return vec4(e.x, o.x, e.y, o.y);
}

// Elements 4 * quad ... 4 * quad + 3 of a chunk, not scaled. FP8 values are 2^-8 of the true ones: see applied.
vec4 decodeQuad(uvec4 chunk, uint quad) {
    if (INT4) return vec4((uvec4(chunk[quad / 2]) >> (uvec4(0, 4, 8, 12) + quad % 2 * 16)) & 15u) - 8.0;
    if (INTEGERS) return vec4((uvec4(chunk[quad]) >> uvec4(0, 8, 16, 24)) & 255u) - 128.0;
    if (FORMAT == 3u) return decodeE4M3(chunk[quad]);
    if (FORMAT == 0u) return uintBitsToFloat(chunk);
    uvec2 pair = quad == 0u ? chunk.xy : chunk.zw;
    if (FORMAT == 2u) return vec4(unpackHalf2x16(pair.x), unpackHalf2x16(pair.y));
    return uintBitsToFloat(uvec4(pair.x << 16, pair.x & 0xFFFF0000u, pair.y << 16, pair.y & 0xFFFF0000u));
}

// What decoded values are multiplied by for a stored scale: it undoes decodeE4M3's 2^-8.
float applied(float scale) { return FORMAT == 3u ? scale * 256.0 : scale; }
