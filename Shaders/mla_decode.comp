#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
// One split of absorbed attention: for the keys j of positions split * 256 ..< min(position + 1, (split + 1) * 256):
// s_j = scale * query . cache[j]; m = max s_j; p_j = exp(s_j - m); partial = (sum p_j * cache[j, 0:C], m, sum p_j).
//
// query: [tokens, heads, C + R] F32; the cache entry serves as key (all of it) and as value (its first C).
// partials: [tokens, heads, splits, C + 2] F32. A workgroup takes one token, head and split; a subgroup one key at a
// time for the scores; a thread one latent column at a time for the values.

#define WORKGROUP 64
#include "common_cache.glsl"
#include "common_reduce.glsl"

const uint SPLIT = 256u;

layout(local_size_x = WORKGROUP) in;
layout(set = 0, binding = 0, std430) readonly buffer QueryBuffer { float query[]; };
layout(set = 0, binding = 1, std430) readonly buffer CacheBuffer { uint cache[]; };
layout(set = 0, binding = 2, std430) readonly buffer PositionsBuffer { uint positions[]; };
layout(set = 0, binding = 3, std430) readonly buffer SequencesBuffer { uint sequences[]; };
layout(set = 0, binding = 4, std430) readonly buffer PageTableBuffer { uint pageTable[]; };
layout(set = 0, binding = 5, std430) writeonly buffer PartialsBuffer { float partials[]; };
layout(push_constant) uniform Params {
    uint latentWidth; uint ropeWidth; uint queryPitch; uint maxPages; uint splitCount; uint partialPitch; float scale;
};

#include "common_keys.glsl"

shared float scores[SPLIT];

uint keyOffset(uint sequence, uint position) {
    return entryOffset(pageTable[sequence * maxPages + position / PAGE], position, latentWidth + ropeWidth);
}

void main() {
    uint token = gl_WorkGroupID.x, head = gl_WorkGroupID.y, split = gl_WorkGroupID.z;
    uint sequence = sequences[token];
    uint first = split * SPLIT;
    uint end = min(positions[token] + 1, first + SPLIT);
    if (first >= end) return;
    uint count = end - first;
    uint width = latentWidth + ropeWidth;
    uint source = token * queryPitch + head * width;

    for (uint j = gl_SubgroupID; j < count; j += gl_NumSubgroups) {
        uint key = keyOffset(sequence, first + j);
        float sum = 0;
        for (uint i = gl_SubgroupInvocationID; i < width / 2; i += gl_SubgroupSize)
            sum += dot(vec2(query[source + 2 * i], query[source + 2 * i + 1]), cachePair(key, i));
        sum = subgroupAdd(sum);
        if (subgroupElect()) scores[j] = sum * scale;
    }
    barrier();  // every score is there before the maximum is taken

    float largest = -3.4e38;
    for (uint j = gl_LocalInvocationIndex; j < count; j += WORKGROUP) largest = max(largest, scores[j]);
    float m = workgroupMax(largest);
    float sum = 0;
    for (uint j = gl_LocalInvocationIndex; j < count; j += WORKGROUP) {
        scores[j] = exp(scores[j] - m);
        sum += scores[j];
    }
    float l = workgroupSum(sum);  // its barriers also publish the exponentials

    uint destination = token * partialPitch + (head * splitCount + split) * (latentWidth + 2);
    for (uint i = gl_LocalInvocationIndex; i < latentWidth / 2; i += WORKGROUP) {
        vec2 value = vec2(0);
        for (uint j = 0; j < count; j++) value += scores[j] * cachePair(keyOffset(sequence, first + j), i);
        partials[destination + 2 * i] = value.x;
        partials[destination + 2 * i + 1] = value.y;
    }
    if (gl_LocalInvocationIndex == 0) {
        partials[destination + latentWidth] = m;
        partials[destination + latentWidth + 1] = l;
    }
}
