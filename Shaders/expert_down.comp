#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
// y[t, n] = sum over i of sharedH[t, i] * S[n, i] + sum over slots of routing[t, slot] * (sum over i of x[a, i] * D_e[n, i]), for
// few tokens: a = t * topK + slot, e = experts[a]. Slots whose expert is in another part of the bank are computed by that
// part's dispatch. With `adds` the sum is added to y. Without shared experts sharedColumns is 0.
//
// x = h: [tokens * topK, columns] F32; sharedH: [tokens, sharedColumns] F32; experts: [tokens, topK] U32; routing: [tokens,
// topK] F32; D: [experts of this part, rows, columns], any format; S: [rows, sharedColumns]; y: [tokens, rows] F32. A
// workgroup takes groupRows rows of one token; slots are added in their order.

#include "common_weights.glsl"
#include "common_forms.glsl"

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { vec4 x[]; };
layout(set = 0, binding = 1, std430) readonly buffer SharedHBuffer { vec4 sharedH[]; };
layout(set = 0, binding = 2, std430) readonly buffer ExpertsBuffer { uint experts[]; };
layout(set = 0, binding = 3, std430) readonly buffer RoutingBuffer { float routing[]; };
layout(set = 0, binding = 4, std430) readonly buffer WeightsBuffer { uvec4 weights[]; };
layout(set = 0, binding = 5, std430) readonly buffer ScalesBuffer { float scales[]; };
layout(set = 0, binding = 6, std430) readonly buffer SharedWeightsBuffer { uvec4 sharedWeights[]; };
layout(set = 0, binding = 7, std430) readonly buffer SharedScalesBuffer { float sharedScales[]; };
layout(set = 0, binding = 8, std430) buffer YBuffer { float y[]; };
layout(push_constant) uniform Params {
    uint columns; uint sharedColumns; uint rows; uint topK; uint firstExpert; uint expertCount; uint chunkPitch;
    uint scaleRows; uint scalePitch; uint sharedChunkPitch; uint sharedScalePitch; uint xPitch; uint sharedHPitch;
    uint routingPitch; uint yPitch; uint groupRows; uint adds;
};

#define PRODUCT routedProduct
#define CHUNK_OF(r, i) weights[i]
#define SCALE_OF(r, i) scales[i]
#include "common_product.glsl"
#define x sharedH
#define PRODUCT sharedProduct
#define CHUNK_OF(r, i) sharedWeights[i]
#define SCALE_OF(r, i) sharedScales[i]
#include "common_product.glsl"
#undef x

void main() {
    uint token = gl_WorkGroupID.y, begin = gl_WorkGroupID.x * groupRows, end = min(begin + groupRows, rows);
    uint count = end - begin, passes = passCount(count, ROWS);
    for (uint pass = 0; pass < passes; pass++) {
        if (!hasRows(pass, passes, ROWS, count)) continue;
        uint at[ROWS], atScales[ROWS], starts[TOKENS];
        float sums[ROWS][TOKENS], totals[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            totals[r] = adds == 0 ? 0.0 : y[token * yPitch + min(begin + rowInPass(pass, passes, r, ROWS, count), end - 1)];
        if (sharedColumns > 0) {
            starts[0] = token * (sharedHPitch / 4);
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                uint row = min(begin + rowInPass(pass, passes, r, ROWS, count), end - 1);
                at[r] = row * sharedChunkPitch;
                atScales[r] = row / SCALE_ROWS * sharedScalePitch;
            }
            sharedProduct(sharedColumns, at, atScales, starts, sums);
            [[unroll]] for (uint r = 0; r < ROWS; r++) totals[r] += sums[r][0];
        }
        for (uint slot = 0; slot < topK; slot++) {
            uint expert = experts[token * topK + slot];
            if (expert < firstExpert || expert - firstExpert >= expertCount) continue;
            starts[0] = (token * topK + slot) * (xPitch / 4);
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                uint row = min(begin + rowInPass(pass, passes, r, ROWS, count), end - 1);
                at[r] = ((expert - firstExpert) * rows + row) * chunkPitch;
                atScales[r] = ((expert - firstExpert) * scaleRows + row / SCALE_ROWS) * scalePitch;
            }
            routedProduct(columns, at, atScales, starts, sums);
            float share = routing[token * routingPitch + slot];
            [[unroll]] for (uint r = 0; r < ROWS; r++) totals[r] = fma(share, sums[r][0], totals[r]);
        }
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            uint row = begin + rowInPass(pass, passes, r, ROWS, count);
            if (row < end && hasSums()) y[token * yPitch + row] = totals[r];
        }
    }
}
