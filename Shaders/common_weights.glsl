// Weights in chunks of 16 bytes (a uvec4): 16 FP8 codes, 8 BF16 or F16, or 4 F32, decoded four at a time.
// Every row starts at a whole chunk and is padded with zeros.

layout(constant_id = 0) const uint FORMAT = 0u;  // 0 F32, 1 BF16, 2 F16, 3 FP8 E4M3 with 128 x 128 block scales

// Groups of four elements in a chunk, and elements in a chunk.
const uint QUADS = FORMAT == 3u ? 4u : (FORMAT == 0u ? 1u : 2u);
const uint CHUNK = QUADS * 4u;

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

// Elements 4 * quad ... 4 * quad + 3 of a chunk. FP8 values are 2^-8 of the true ones: see SCALE_GAIN.
vec4 decodeQuad(uvec4 chunk, uint quad) {
    if (FORMAT == 3u) return decodeE4M3(chunk[quad]);
    if (FORMAT == 0u) return uintBitsToFloat(chunk);
    uvec2 pair = quad == 0u ? chunk.xy : chunk.zw;
    if (FORMAT == 2u) return vec4(unpackHalf2x16(pair.x), unpackHalf2x16(pair.y));
    return uintBitsToFloat(uvec4(pair.x << 16, pair.x & 0xFFFF0000u, pair.y << 16, pair.y & 0xFFFF0000u));
}

// What a block's scale is multiplied by to undo decodeE4M3's 2^-8.
const float SCALE_GAIN = 256.0;
