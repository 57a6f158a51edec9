#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
// h[a, i] = silu(sum over j of x[t, j] * G_e[i, j]) * (sum over j of x[t, j] * U_e[i, j]), for few tokens: a = t * topK +
// slot, e = experts[a], silu(v) = v / (1 + exp(-v)). Only the chosen experts' weights are read.
//
// x: [tokens, columns] F32; experts: [tokens, topK] U32; G, U: [experts of this part, rows, columns], any format; h:
// [tokens * topK, rows] F32. A workgroup takes 16 rows of one assignment a, and leaves it alone if its expert is in another
// part. Its subgroups stride over the rows, their lanes over a row's 16-byte chunks.

#include "common_weights.glsl"

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { vec4 x[]; };
layout(set = 0, binding = 1, std430) readonly buffer ExpertsBuffer { uint experts[]; };
layout(set = 0, binding = 2, std430) readonly buffer GateWeightsBuffer { uvec4 gateWeights[]; };
layout(set = 0, binding = 3, std430) readonly buffer GateScalesBuffer { float gateScales[]; };
layout(set = 0, binding = 4, std430) readonly buffer UpWeightsBuffer { uvec4 upWeights[]; };
layout(set = 0, binding = 5, std430) readonly buffer UpScalesBuffer { float upScales[]; };
layout(set = 0, binding = 6, std430) writeonly buffer HBuffer { float h[]; };
layout(push_constant) uniform Params {
    uint columns; uint rows; uint topK; uint firstExpert; uint expertCount; uint chunkPitch; uint scaleRows; uint scalePitch;
    uint xPitch; uint hPitch;
};

void main() {
    uint assignment = gl_WorkGroupID.y;
    uint expert = experts[assignment];
    if (expert < firstExpert || expert - firstExpert >= expertCount) return;
    expert -= firstExpert;
    uint xBase = assignment / topK * (xPitch / 4);
    uint end = min(gl_WorkGroupID.x * 16 + 16, rows);
    for (uint row = gl_WorkGroupID.x * 16 + gl_SubgroupID; row < end; row += gl_NumSubgroups) {
        uint chunkBase = (expert * rows + row) * chunkPitch;
        uint scaleBase = (expert * scaleRows + row / 128) * scalePitch;
        float gate = 0, up = 0;
        for (uint k = gl_SubgroupInvocationID * CHUNK; k < columns; k += gl_SubgroupSize * CHUNK) {
            uvec4 gateChunk = gateWeights[chunkBase + k / CHUNK], upChunk = upWeights[chunkBase + k / CHUNK];
            float gateScale = 1, upScale = 1;
            if (FORMAT == 3u) {
                gateScale = gateScales[scaleBase + k / 128] * SCALE_GAIN;
                upScale = upScales[scaleBase + k / 128] * SCALE_GAIN;
            }
            for (uint quad = 0; quad < QUADS && k + quad * 4 < columns; quad++) {
                uint j = k + quad * 4;
                // Padding holds anything: selected away.
                vec4 value = mix(vec4(0), x[xBase + j / 4], lessThan(uvec4(j) + uvec4(0, 1, 2, 3), uvec4(columns)));
                gate += dot(decodeQuad(gateChunk, quad) * gateScale, value);
                up += dot(decodeQuad(upChunk, quad) * upScale, value);
            }
        }
        gate = subgroupAdd(gate);
        up = subgroupAdd(up);
        if (subgroupElect()) h[assignment * hPitch + row] = gate / (1 + exp(-gate)) * up;
    }
}
