#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
// Absorbed causal attention for many tokens, in one pass over the keys 0 ... position of each:
// s_j = scale * query . cache[j]; latent = sum_j exp(s_j - m) * cache[j, 0:C] / sum_j exp(s_j - m), m = max s_j.
//
// query: [tokens, heads, C + R] F32; the cache entry serves as key (all of it) and as value (its first C).
// latent: [tokens, heads, C] F32. A workgroup takes one token and HEADS heads, which share what is read of the cache, and
// goes page by page: scores (a subgroup takes KEYS keys at a time), the running maximum and sum (eight threads a head),
// values (a thread takes PAIRS pairs of columns, for all heads). What it holds is rescaled when the maximum grows.

#define WORKGROUP 64
#include "common_cache.glsl"

layout(constant_id = 2) const uint HEADS = 8u;  // a power of two, at most 8
layout(constant_id = 3) const uint PAIRS = 4u;  // ceil(C / 2 / WORKGROUP)
const uint KEYS = 4u, HELPERS = WORKGROUP / HEADS;

layout(local_size_x = WORKGROUP) in;
layout(set = 0, binding = 0, std430) readonly buffer QueryBuffer { float query[]; };
layout(set = 0, binding = 1, std430) readonly buffer CacheBuffer { uint cache[]; };
layout(set = 0, binding = 2, std430) readonly buffer PositionsBuffer { uint positions[]; };
layout(set = 0, binding = 3, std430) readonly buffer SequencesBuffer { uint sequences[]; };
layout(set = 0, binding = 4, std430) readonly buffer PageTableBuffer { uint pageTable[]; };
layout(set = 0, binding = 5, std430) writeonly buffer LatentBuffer { float latent[]; };
layout(push_constant) uniform Params {
    uint headCount; uint latentWidth; uint ropeWidth; uint queryPitch; uint maxPages; uint latentPitch; float scale;
};

#include "common_keys.glsl"

shared float scores[HEADS][PAGE];
shared float partial[HEADS][HELPERS];

// Scores of the page's first `count` keys, entries of `width` values from `page` on, for the heads of `sources`.
void scorePage(uint page, uint count, uint width, uint sources[HEADS]) {
    for (uint first = gl_SubgroupID * KEYS; first < count; first += gl_NumSubgroups * KEYS) {
        float sums[HEADS][KEYS];
        for (uint h = 0; h < HEADS; h++)
            for (uint k = 0; k < KEYS; k++) sums[h][k] = 0;
        for (uint i = gl_SubgroupInvocationID; i < width / 2; i += gl_SubgroupSize) {
            vec2 keys[KEYS];
            for (uint k = 0; k < KEYS; k++) keys[k] = cachePair(page + min(first + k, count - 1) * width, i);
            for (uint h = 0; h < HEADS; h++) {
                vec2 q = vec2(query[sources[h] + 2 * i], query[sources[h] + 2 * i + 1]);
                for (uint k = 0; k < KEYS; k++) sums[h][k] += dot(q, keys[k]);
            }
        }
        for (uint h = 0; h < HEADS; h++)
            for (uint k = 0; k < KEYS; k++) {
                float score = subgroupAdd(sums[h][k]) * scale;
                if (subgroupElect() && first + k < count) scores[h][first + k] = score;
            }
    }
}

void main() {
    uint token = gl_WorkGroupID.x, firstHead = gl_WorkGroupID.y * HEADS;
    uint width = latentWidth + ropeWidth;
    uint keyCount = positions[token] + 1;
    uint sources[HEADS];  // beyond the last head: the last again, computed and not written
    for (uint h = 0; h < HEADS; h++) sources[h] = token * queryPitch + min(firstHead + h, headCount - 1) * width;
    uint myHead = gl_LocalInvocationIndex / HELPERS, helper = gl_LocalInvocationIndex % HELPERS;

    float largest = -3.4e38, total = 0;  // of this thread's head, over the pages so far
    vec2 values[HEADS][PAIRS];
    for (uint h = 0; h < HEADS; h++)
        for (uint c = 0; c < PAIRS; c++) values[h][c] = vec2(0);

    for (uint start = 0; start < keyCount; start += PAGE) {
        uint count = min(keyCount - start, PAGE);
        uint page = entryOffset(pageTable[sequences[token] * maxPages + start / PAGE], 0, width);
        scorePage(page, count, width, sources);
        barrier();  // every score of the page is there

        float m = largest;
        for (uint j = helper; j < count; j += HELPERS) m = max(m, scores[myHead][j]);
        partial[myHead][helper] = m;
        barrier();  // the helpers' maxima are there
        for (uint n = 0; n < HELPERS; n++) m = max(m, partial[myHead][n]);
        float sum = 0;
        for (uint j = helper; j < count; j += HELPERS) {
            float p = exp(scores[myHead][j] - m);
            scores[myHead][j] = p;
            sum += p;
        }
        float rescale = exp(largest - m);
        largest = m;
        barrier();  // all have read the maxima, before sums overwrite them
        partial[myHead][helper] = sum;
        barrier();  // the sums and the exponentials are there
        total *= rescale;
        for (uint n = 0; n < HELPERS; n++) total += partial[myHead][n];
        barrier();  // all have read the sums, before factors overwrite them
        if (helper == 0) partial[myHead][0] = rescale;
        barrier();  // the factors are there

        for (uint h = 0; h < HEADS; h++)
            for (uint c = 0; c < PAIRS; c++) values[h][c] *= partial[h][0];
        for (uint j = 0; j < count; j++)
            for (uint c = 0; c < PAIRS; c++) {
                uint pair = gl_LocalInvocationIndex + c * WORKGROUP;
                if (pair * 2 >= latentWidth) continue;
                vec2 value = cachePair(page + j * width, pair);
                for (uint h = 0; h < HEADS; h++) values[h][c] += scores[h][j] * value;
            }
        barrier();  // all have read scores and factors, before the next page overwrites them
    }

    if (helper == 0) partial[myHead][0] = total;
    barrier();  // the totals are there
    for (uint h = 0; h < HEADS && firstHead + h < headCount; h++)
        for (uint c = 0; c < PAIRS; c++) {
            uint pair = gl_LocalInvocationIndex + c * WORKGROUP;
            if (pair * 2 >= latentWidth) continue;
            uint destination = token * latentPitch + (firstHead + h) * latentWidth + 2 * pair;
            latent[destination] = values[h][c].x / partial[h][0];
            latent[destination + 1] = values[h][c].y / partial[h][0];
        }
}
