#version 460
// y[i, j] = a random weight that i, j and a seed alone decide; zero in the rows' padding.
//
// y: [rows, columns] BF16, FP8 E4M3 or words, in chunks of 16 bytes (a uvec4). Thread i of all fills chunks i, i + threads, ...
// BF16: the sum of two random bytes, about its mean, times the gain. FP8: every code but the NaNs, which become zeros. Words, of
// integer codes: any bits.

layout(constant_id = 0) const uint FORMAT = 1u;  // as in common_weights.glsl: 1 BF16, 3 FP8 E4M3, 4 words

layout(local_size_x = 256) in;
layout(set = 0, binding = 0, std430) writeonly buffer YBuffer { uvec4 y[]; };
// The binding's first chunk is firstChunk of the whole tensor.
layout(push_constant) uniform Params { uint chunkCount; uint firstChunk; uint chunkPitch; uint columns; uint seed; float gain; };

const uint WIDTH = FORMAT == 4u ? 1u : (FORMAT == 3u ? 4u : 2u);  // elements a word

// Each output bit depends on every input bit (lowbias32 of C. Wellons' hash-prospector).
uint mixed(uint x) {
    x = (x ^ (x >> 16)) * 0x7FEB352Du;
    x = (x ^ (x >> 15)) * 0x846CA68Bu;
    return x ^ (x >> 16);
}

uint bf16(uint random) {
    uint bits = floatBitsToUint((float((random & 0xFFu) + (random >> 8)) - 255.0) * gain);
    return (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;  // to the nearest, ties to even
}

// The element in the low bits of `random`.
uint element(uint random) {
    if (FORMAT == 1u) return bf16(random & 0xFFFFu);
    if (FORMAT == 4u) return random;
    uint code = random & 0xFFu;
    return (code & 0x7Fu) == 0x7Fu ? code & 0x80u : code;
}

void main() {
    uint threads = gl_NumWorkGroups.x * 256u;
    for (uint i = gl_GlobalInvocationID.x; i < chunkCount; i += threads) {
        uint chunk = firstChunk + i;
        uint column = chunk % chunkPitch * WIDTH * 4u;
        uvec4 words;
        for (uint w = 0u; w < 4u; w++) {
            uint random = mixed(mixed(4u * chunk + w) + seed);
            words[w] = 0u;
            for (uint k = 0u; k < WIDTH; k++) {
                uint shift = 32u / WIDTH * k;
                if (column + WIDTH * w + k < columns) words[w] |= element(random >> shift) << shift;
            }
        }
        y[i] = words;
    }
}
