#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
// h[a, i] = silu(sum over j of x[t, j] * G_e[i, j]) * (sum over j of x[t, j] * U_e[i, j]), for few tokens: a = t * topK +
// slot, e = experts[a], silu(v) = v / (1 + exp(-v)); and sharedH[t, i], the same with the shared experts' S and V for G and U.
// Only the chosen experts' weights are read.
//
// x: [tokens, columns] F32; experts: [tokens, topK] U32; G, U: [experts of this part, rows, columns], any format; S, V:
// [sharedRows, columns]; h: [tokens * topK, rows] F32; sharedH: [tokens, sharedRows] F32. Workgroups (y, z) = (slot, token)
// take groupRows rows of one assignment, and leave it alone if its expert is in another part; slots from topK on are the
// shared experts', `rows` of theirs each. ROWS counts those of gate and up together.

#include "common_weights.glsl"
#include "common_forms.glsl"

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { vec4 x[]; };
layout(set = 0, binding = 1, std430) readonly buffer ExpertsBuffer { uint experts[]; };
layout(set = 0, binding = 2, std430) readonly buffer GateWeightsBuffer { uvec4 gateWeights[]; };
layout(set = 0, binding = 3, std430) readonly buffer GateScalesBuffer { float gateScales[]; };
layout(set = 0, binding = 4, std430) readonly buffer UpWeightsBuffer { uvec4 upWeights[]; };
layout(set = 0, binding = 5, std430) readonly buffer UpScalesBuffer { float upScales[]; };
layout(set = 0, binding = 6, std430) readonly buffer SharedGateWeightsBuffer { uvec4 sharedGateWeights[]; };
layout(set = 0, binding = 7, std430) readonly buffer SharedGateScalesBuffer { float sharedGateScales[]; };
layout(set = 0, binding = 8, std430) readonly buffer SharedUpWeightsBuffer { uvec4 sharedUpWeights[]; };
layout(set = 0, binding = 9, std430) readonly buffer SharedUpScalesBuffer { float sharedUpScales[]; };
layout(set = 0, binding = 10, std430) writeonly buffer HBuffer { float h[]; };
layout(set = 0, binding = 11, std430) writeonly buffer SharedHBuffer { float sharedH[]; };
layout(push_constant) uniform Params {
    uint columns; uint rows; uint sharedRows; uint topK; uint firstExpert; uint expertCount; uint chunkPitch;
    uint scaleRows; uint scalePitch; uint xPitch; uint hPitch; uint sharedHPitch; uint groupRows;
};

#define PRODUCT routedProduct
#define CHUNK_OF(r, i) (r < ROWS / 2 ? gateWeights[i] : upWeights[i])
#define SCALE_OF(r, i) (r < ROWS / 2 ? gateScales[i] : upScales[i])
#include "common_product.glsl"
#define PRODUCT sharedProduct
#define CHUNK_OF(r, i) (r < ROWS / 2 ? sharedGateWeights[i] : sharedUpWeights[i])
#define SCALE_OF(r, i) (r < ROWS / 2 ? sharedGateScales[i] : sharedUpScales[i])
#include "common_product.glsl"

const uint HALF = ROWS / 2;

float activated(float gate, float up) { return gate / (1 + exp(-gate)) * up; }

void main() {
    uint slot = gl_WorkGroupID.y, token = gl_WorkGroupID.z, begin = gl_WorkGroupID.x * groupRows;
    uint at[ROWS], atScales[ROWS], starts[TOKENS];
    float sums[ROWS][TOKENS];
    starts[0] = token * (xPitch / 4);
    if (slot < topK) {
        uint expert = experts[token * topK + slot];
        if (expert < firstExpert || expert - firstExpert >= expertCount) return;  // the whole workgroup
        uint end = min(begin + groupRows, rows);
        uint count = end - begin, passes = passCount(count, HALF);
        for (uint pass = 0; pass < passes; pass++) {
            if (!hasRows(pass, passes, HALF, count)) continue;
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                uint row = min(begin + rowInPass(pass, passes, r % HALF, HALF, count), end - 1);
                at[r] = ((expert - firstExpert) * rows + row) * chunkPitch;
                atScales[r] = ((expert - firstExpert) * scaleRows + row / SCALE_ROWS) * scalePitch;
            }
            routedProduct(columns, at, atScales, starts, sums);
            [[unroll]] for (uint r = 0; r < HALF; r++) {
                uint row = begin + rowInPass(pass, passes, r, HALF, count);
                if (row < end && hasSums())
                    h[(token * topK + slot) * hPitch + row] = activated(sums[r][0], sums[r + HALF][0]);
            }
        }
    } else {
        begin += (slot - topK) * rows;
        uint end = min(min(begin + groupRows, (slot - topK + 1) * rows), sharedRows);
        if (begin >= end) return;  // the whole workgroup
        uint count = end - begin, passes = passCount(count, HALF);
        for (uint pass = 0; pass < passes; pass++) {
            if (!hasRows(pass, passes, HALF, count)) continue;
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                uint row = min(begin + rowInPass(pass, passes, r % HALF, HALF, count), end - 1);
                at[r] = row * chunkPitch;
                atScales[r] = row / SCALE_ROWS * scalePitch;
            }
            sharedProduct(columns, at, atScales, starts, sums);
            [[unroll]] for (uint r = 0; r < HALF; r++) {
                uint row = begin + rowInPass(pass, passes, r, HALF, count);
                if (row < end && hasSums()) sharedH[token * sharedHPitch + row] = activated(sums[r][0], sums[r + HALF][0]);
            }
        }
    }
}
