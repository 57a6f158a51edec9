#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
// Causal attention in expanded form, for many tokens: key j of head h is (kv[j, h, 0:nope], entries[j, C:C+R]), its value
// kv[j, h, nope:nope+V]; s_j = scale * q[t, h] . key j for the keys up to the token's position; y[t, h] = sum_j softmax(s)_j * value j.
//
// q: [tokens, heads, nope + R] F32, rotated; kv: [keys, sliceHeads, nope + V] F32, the heads firstHead ... of kv_b_proj's
// product; entries: [keys, C + R] F32; y: [tokens, heads, V] F32. tiles: [n, 4] U32: QUERIES tokens or fewer of one sequence
// as (first token, tokens, row of the sequence's first key, first token's position). A workgroup takes one head and tile.

layout(constant_id = 2) const uint QUERIES = 8u;  // tokens: a power of two, at most 8
layout(constant_id = 3) const uint PAIRS = 1u;    // of columns a thread: all threads' hold valueWidth

#define WORKGROUP 64
layout(local_size_x = WORKGROUP) in;
layout(set = 0, binding = 0, std430) readonly buffer QBuffer { vec2 q[]; };
layout(set = 0, binding = 1, std430) readonly buffer KeysBuffer { vec4 keys[]; };      // kv, and
layout(set = 0, binding = 2, std430) readonly buffer ValuesBuffer { vec2 values[]; };  // kv again
layout(set = 0, binding = 3, std430) readonly buffer EntriesBuffer { vec4 entries[]; };
layout(set = 0, binding = 4, std430) readonly buffer TilesBuffer { uvec4 tiles[]; };
layout(set = 0, binding = 5, std430) writeonly buffer YBuffer { float y[]; };
layout(push_constant) uniform Params {
    uint firstHead; uint nopeWidth; uint ropeWidth; uint valueWidth; uint latentWidth; uint qPitch; uint kvPitch;
    uint entryPitch; uint yPitch; float scale;
};

uvec4 tile = tiles[gl_WorkGroupID.x];
uint head = gl_WorkGroupID.y, kvWidth = nopeWidth + valueWidth, qWidth = nopeWidth + ropeWidth;

// Clamped to the last token; duplicates are not written.
vec2 queryPair(uint row, uint i) {
    return q[((tile.x + min(row, tile.y - 1)) * qPitch + (firstHead + head) * qWidth) / 2 + i];
}
// Where the key's own part is, and its rope part.
uvec2 keyBase(uint j) {
    return uvec2((tile.z + j) * kvPitch + head * kvWidth, (tile.z + j) * entryPitch + latentWidth);
}
mat2x4 keyEight(uvec2 base, uint i) {
    if (8 * i < nopeWidth) return mat2x4(keys[base.x / 4 + 2 * i], keys[base.x / 4 + 2 * i + 1]);
    uint at = (base.y + 8 * i - nopeWidth) / 4;
    return mat2x4(entries[at], entries[at + 1]);
}
// Clamped to the last pair; duplicates are not written.
void ownValues(uvec2 base, out vec2 value[PAIRS]) {
    [[unroll]] for (uint c = 0; c < PAIRS; c++)
        value[c] = values[(base.x + nopeWidth) / 2 + min(gl_LocalInvocationIndex + c * WORKGROUP, valueWidth / 2 - 1)];
}

#include "common_attention.glsl"

void main() {
    // The tile's last token has the most keys.
    if (gl_LocalInvocationIndex < QUERIES) limits[gl_LocalInvocationIndex] = tile.w + gl_LocalInvocationIndex + 1;
    barrier();  // the limits are complete
    vec2 sum[QUERIES][PAIRS];
    attend(0, tile.w + tile.y, qWidth, scale, sum);
    [[unroll]] for (uint row = 0; row < QUERIES; row++)
        [[unroll]] for (uint c = 0; c < PAIRS; c++) {
            uint pair = gl_LocalInvocationIndex + c * WORKGROUP;
            if (row >= tile.y || pair * 2 >= valueWidth) continue;
            uint target = (tile.x + row) * yPitch + (firstHead + head) * valueWidth + 2 * pair;
            y[target] = sum[row][c].x / sums[row];
            y[target + 1] = sum[row][c].y / sums[row];
        }
}
