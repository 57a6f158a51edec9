#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
// y[t, h, i] = sum over c of W[h * (nope + value) + nope + i, c] * latent[t, h, c]: back from the latent to the heads' values.
// With splits (mostSplits > 0) the latent is joined first: latent = sum_s exp(m_s - M) * partial_s / sum_s exp(m_s - M) * l_s,
// M = max m_s.
//
// W = kv_b_proj [heads * (nope + value), C] in FORMAT; latents: [tokens, heads, C] F32, or [tokens, heads, splits, C + 2]: (partial,
// m, l) for each of the splits up to the token's position; y: [tokens, heads, value] F32. A workgroup takes
// groupRows values of one token and head, a subgroup's rows or a lane's (common_forms.glsl).

#include "common_weights.glsl"
#include "common_forms.glsl"
#include "common_splits.glsl"

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer LatentsBuffer { float latents[]; };
layout(set = 0, binding = 1, std430) readonly buffer WeightsBuffer { uvec4 weights[]; };
layout(set = 0, binding = 2, std430) readonly buffer ScalesBuffer { float scales[]; };
layout(set = 0, binding = 3, std430) readonly buffer PositionsBuffer { uint positions[]; };
layout(set = 0, binding = 4, std430) writeonly buffer YBuffer { float y[]; };
layout(push_constant) uniform Params {
    uint nopeWidth; uint valueWidth; uint latentWidth; uint mostSplits; uint splitCount; uint latentPitch; uint yPitch;
    uint chunkPitch; uint scalePitch; uint groupRows;
};

const uint MAX_LATENT = 1024u;
shared vec4 latent[MAX_LATENT / 4];
shared float factors[64], totals[64];  // of each split: there are no more

#define x latent
#define PRODUCT product
#define CHUNK_OF(r, i) weights[i]
#define SCALE_OF(r, i) scales[i]
#include "common_product.glsl"
#undef x

// This token's and head's latent, into workgroup memory.
void fetchLatent(uint token, uint head) {
    uint width = latentWidth + 2;
    uint source = token * latentPitch + head * (mostSplits == 0 ? latentWidth : splitCount * width);
    uint keyCount = positions[token] + 1;
    uint used = mostSplits == 0 ? 0 : (keyCount - 1) / splitLength(keyCount, mostSplits) + 1;
    uint own = gl_LocalInvocationIndex, at = source + own * width + latentWidth;
    float m = -3.4e38, l = 0, ownMaximum = own < used ? latents[at] : 0.0;
    factors[own] = ownMaximum;
    barrier();  // the splits' maxima are complete
    for (uint s = 0; s < used; s++) m = max(m, factors[s]);
    barrier();  // all have read them, before the factors overwrite them
    factors[own] = exp(ownMaximum - m);
    totals[own] = own < used ? factors[own] * latents[at + 1] : 0.0;
    barrier();  // factors and totals are complete
    for (uint s = 0; s < used; s++) l += totals[s];
    for (uint i = own; i < latentWidth; i += 64) {
        float value = 0;
        if (mostSplits == 0) value = latents[source + i];
        for (uint s = 0; s < used; s++) value += factors[s] * latents[source + s * width + i];
        latent[i / 4][i % 4] = mostSplits == 0 ? value : value / l;
    }
    barrier();  // all of it is complete
}

void main() {
    uint token = gl_WorkGroupID.z, head = gl_WorkGroupID.y, begin = gl_WorkGroupID.x * groupRows;
    uint end = min(begin + groupRows, valueWidth);
    fetchLatent(token, head);
    uint rows[ROWS], rowScales[ROWS], starts[TOKENS];
    starts[0] = 0;
    uint count = end - begin, passes = passCount(count, ROWS);
    for (uint pass = 0; pass < passes; pass++) {
        if (!hasRows(pass, passes, ROWS, count)) continue;
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            uint row = head * (nopeWidth + valueWidth) + nopeWidth + min(begin + rowInPass(pass, passes, r, ROWS, count), end - 1);
            rows[r] = row * chunkPitch;
            rowScales[r] = row / SCALE_ROWS * scalePitch;
        }
        float sums[ROWS][TOKENS];
        product(latentWidth, rows, rowScales, starts, sums);
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            uint i = begin + rowInPass(pass, passes, r, ROWS, count);
            if (i < end && hasSums()) y[token * yPitch + head * valueWidth + i] = sums[r][0];
        }
    }
}
