#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
// Absorbed causal attention over the latent cache: s_j = scale * query . cache[j] for the keys j = 0 ... position;
// latent = sum_j softmax(s)_j * cache[j, 0:C]. Either whole (mostSplits = 0), or in at most so many splits, which run side by
// side and leave partial = (sum_j exp(s_j - m) * cache[j, 0:C], m = max s_j, sum_j exp(s_j - m)) for mla_value.
//
// query: [tokens, heads, width] F32: C + R values and zeros up to a multiple of 8, like a cache entry, which serves as key
// (all of it) and as value (its first C).
// y: [tokens, heads, C] F32, or [tokens, heads, splits, C + 2]. A workgroup takes one token, QUERIES heads and one split.

#include "common_cache.glsl"
#include "common_splits.glsl"

layout(constant_id = 2) const uint QUERIES = 8u;  // heads: a power of two, at most 8
layout(constant_id = 3) const uint PAIRS = 4u;    // of columns a thread: all threads' eights of them hold latentWidth

#define WORKGROUP 64

layout(local_size_x = WORKGROUP) in;
layout(set = 0, binding = 0, std430) readonly buffer QueryBuffer { vec2 query[]; };
layout(set = 0, binding = 1, std430) readonly buffer CacheBuffer { uvec4 cache[]; };
layout(set = 0, binding = 2, std430) readonly buffer PositionsBuffer { uint positions[]; };
layout(set = 0, binding = 3, std430) readonly buffer SequencesBuffer { uint sequences[]; };
layout(set = 0, binding = 4, std430) readonly buffer PageTableBuffer { uint pageTable[]; };
layout(set = 0, binding = 5, std430) writeonly buffer YBuffer { float y[]; };
layout(push_constant) uniform Params {
    uint headCount; uint width; uint latentWidth; uint queryPitch; uint maxPages; uint mostSplits; uint splitCount;
    uint yPitch; float scale;
};

#include "common_keys.glsl"

uint token = gl_WorkGroupID.x, firstHead = gl_WorkGroupID.y * QUERIES;
uint pages = sequences[token] * maxPages;

// Clamped to the last head; duplicates are not written.
vec2 queryPair(uint q, uint i) { return query[(token * queryPitch + min(firstHead + q, headCount - 1) * width) / 2 + i]; }
uvec2 keyBase(uint j) { return uvec2(entryOffset(pageTable[pages + j / PAGE], j, width), 0); }
mat2x4 keyEight(uvec2 base, uint i) { return cacheEight(base.x, i); }
// Pair c: the columns from here on. Clamped to the last eight; duplicates are not written.
uint pairColumn(uint c) { return 8 * (gl_LocalInvocationIndex + c / 4 * WORKGROUP) + 2 * (c % 4); }
void ownValues(uvec2 base, out vec2 value[PAIRS]) {
    [[unroll]] for (uint c = 0; c < PAIRS; c += 4) {
        mat2x4 eight = cacheEight(base.x, min(pairColumn(c), latentWidth - 1) / 8);
        [[unroll]] for (uint n = 0; n < 4; n++) value[c + n] = vec2(eight[n / 2][n % 2 * 2], eight[n / 2][n % 2 * 2 + 1]);
    }
}

#include "common_attention.glsl"

void main() {
    uint keyCount = positions[token] + 1, split = gl_WorkGroupID.z, splitKeys = splitLength(keyCount, mostSplits);
    uint first = split * splitKeys, end = min(keyCount, first + splitKeys);
    if (first >= keyCount) return;  // the whole workgroup
    if (gl_LocalInvocationIndex < QUERIES) limits[gl_LocalInvocationIndex] = end;
    barrier();  // the limits are complete
    vec2 values[QUERIES][PAIRS];
    attend(first, end, width, scale, values);

    // Without a break: a loop that is not unrolled would have its arrays in memory.
    [[unroll]] for (uint q = 0; q < QUERIES; q++) {
        uint head = firstHead + q;
        uint target = token * yPitch
            + (mostSplits == 0u ? head * latentWidth : (head * splitCount + split) * (latentWidth + 2));
        float divisor = mostSplits == 0u ? sums[q] : 1.0;
        [[unroll]] for (uint c = 0; c < PAIRS; c++) {
            uint column = pairColumn(c);
            if (head >= headCount || column >= latentWidth) continue;
            y[target + column] = values[q][c].x / divisor;
            y[target + column + 1] = values[q][c].y / divisor;
        }
        if (mostSplits > 0u && gl_LocalInvocationIndex == 0 && head < headCount) {
            y[target + latentWidth] = maxima[q];
            y[target + latentWidth + 1] = sums[q];
        }
    }
}
