#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
// y[t, n] += sum over slots of routing[t, slot] * (sum over i of x[a, i] * D_e[n, i]), for few tokens: a = t * topK + slot,
// e = experts[a]; slots whose expert is in another part of the bank are left to that part's dispatch.
//
// x = h: [tokens * topK, columns] F32; experts: [tokens, topK] U32; routing: [tokens, topK] F32; D: [experts of this part, rows,
// columns], any format; y: [tokens, rows] F32. A workgroup takes 16 rows of one token; its subgroups stride over the rows,
// their lanes over a row's 16-byte chunks. Slots are added in their order.

#include "common_weights.glsl"

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { vec4 x[]; };
layout(set = 0, binding = 1, std430) readonly buffer ExpertsBuffer { uint experts[]; };
layout(set = 0, binding = 2, std430) readonly buffer RoutingBuffer { float routing[]; };
layout(set = 0, binding = 3, std430) readonly buffer WeightsBuffer { uvec4 weights[]; };
layout(set = 0, binding = 4, std430) readonly buffer ScalesBuffer { float scales[]; };
layout(set = 0, binding = 5, std430) buffer YBuffer { float y[]; };
layout(push_constant) uniform Params {
    uint columns; uint rows; uint topK; uint firstExpert; uint expertCount; uint chunkPitch; uint scaleRows; uint scalePitch;
    uint xPitch; uint routingPitch; uint yPitch;
};

#include "common_dot.glsl"

void main() {
    uint token = gl_WorkGroupID.y;
    uint end = min(gl_WorkGroupID.x * 16 + 16, rows);
    for (uint row = gl_WorkGroupID.x * 16 + gl_SubgroupID; row < end; row += gl_NumSubgroups) {
        float sum = 0;
        for (uint slot = 0; slot < topK; slot++) {
            uint assignment = token * topK + slot;
            uint expert = experts[assignment];
            if (expert < firstExpert || expert - firstExpert >= expertCount) continue;
            expert -= firstExpert;
            sum += routing[token * routingPitch + slot]
                * dotPart(
                    (expert * rows + row) * chunkPitch, (expert * scaleRows + row / 128) * scalePitch,
                    assignment * (xPitch / 4), columns);
        }
        sum = subgroupAdd(sum);
        if (subgroupElect()) y[token * yPitch + row] += sum;
    }
}
