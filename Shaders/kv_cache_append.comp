#version 460
#extension GL_GOOGLE_include_directive : require
// For each token: cache[entry, 0:C] = RMSNorm(kv[t, 0:C]) * weight; cache[entry, C:C+R] = rope(kv[t, C:C+R], position).
//
// Zeros follow up to the width, a multiple of 8.
// RoPE turns the interleaved pairs (x0, x1), (x2, x3), ... by position * frequency. kv: [tokens, C + R] F32.
// One workgroup a token; each thread writes pairs of values, so whole words also in BF16.

#define WORKGROUP 64
#include "common_cache.glsl"
#include "common_reduce.glsl"

layout(local_size_x = WORKGROUP) in;
layout(set = 0, binding = 0, std430) readonly buffer KVBuffer { float kv[]; };
layout(set = 0, binding = 1, std430) readonly buffer WeightBuffer { float weight[]; };
layout(set = 0, binding = 2, std430) readonly buffer FrequenciesBuffer { float frequencies[]; };
layout(set = 0, binding = 3, std430) readonly buffer PositionsBuffer { uint positions[]; };
layout(set = 0, binding = 4, std430) readonly buffer SequencesBuffer { uint sequences[]; };
layout(set = 0, binding = 5, std430) readonly buffer PageTableBuffer { uint pageTable[]; };
layout(set = 0, binding = 6, std430) writeonly buffer CacheBuffer { uint cache[]; };
layout(push_constant) uniform Params {
    uint latentWidth; uint ropeWidth; uint width; uint kvPitch; uint maxPages; float epsilon; float ropeFactor;
};

void storePair(uint index, vec2 pair) {
    if (CACHE_BF16) {
        cache[index / 2] = toBF16(pair.x) | toBF16(pair.y) << 16;
    } else {
        cache[index] = floatBitsToUint(pair.x);
        cache[index + 1] = floatBitsToUint(pair.y);
    }
}

void main() {
    uint token = gl_WorkGroupID.x;
    uint position = positions[token];
    uint page = pageTable[sequences[token] * maxPages + position / PAGE];
    uint entry = entryOffset(page, position, width);
    uint source = token * kvPitch;

    float sum = 0;
    for (uint i = gl_LocalInvocationIndex; i < latentWidth; i += WORKGROUP) sum += kv[source + i] * kv[source + i];
    float inverse = inversesqrt(workgroupSum(sum) / float(latentWidth) + epsilon);
    for (uint i = gl_LocalInvocationIndex * 2; i < latentWidth; i += WORKGROUP * 2) {
        vec2 pair = vec2(kv[source + i] * weight[i], kv[source + i + 1] * weight[i + 1]) * inverse;
        storePair(entry + i, pair);
    }
    for (uint i = gl_LocalInvocationIndex; i < ropeWidth / 2; i += WORKGROUP) {
        float angle = float(position) * frequencies[i];
        float c = cos(angle) * ropeFactor, s = sin(angle) * ropeFactor;
        float a = kv[source + latentWidth + 2 * i], b = kv[source + latentWidth + 2 * i + 1];
        storePair(entry + latentWidth + 2 * i, vec2(a * c - b * s, a * s + b * c));
    }
    uint rest = latentWidth + ropeWidth + 2 * gl_LocalInvocationIndex;
    if (rest < width) storePair(entry + rest, vec2(0));
}
