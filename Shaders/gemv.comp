#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_EXT_control_flow_attributes : require
// y[t, n] = sum over k of x[t, k] * W[n, k], for few rows: each weight is read once for up to four of them.
//
// x: [tokens, columns] F32; W: [rows, columns], any format; y: [tokens, rows] F32. A workgroup takes 16 weight rows and
// four tokens; its subgroups stride over the rows, their lanes over a row's 16-byte chunks. A token's sum is added in the
// same order whether or not others stand beside it.

#include "common_weights.glsl"

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { vec4 x[]; };
layout(set = 0, binding = 1, std430) readonly buffer WeightsBuffer { uvec4 weights[]; };
layout(set = 0, binding = 2, std430) readonly buffer ScalesBuffer { float scales[]; };
layout(set = 0, binding = 3, std430) writeonly buffer YBuffer { float y[]; };
// The bound weight rows are firstRow ... firstRow + rowCount - 1 of the matrix; the first one's result is y[t, firstColumn].
layout(push_constant) uniform Params {
    uint tokenCount; uint columns; uint firstRow; uint firstColumn; uint rowCount; uint chunkPitch; uint scalePitch;
    uint xPitch; uint yPitch;
};

#include "common_dot.glsl"

void main() {
    uint firstToken = gl_WorkGroupID.y * 4;
    uint count = min(4, tokenCount - firstToken);
    uint end = min(gl_WorkGroupID.x * 16 + 16, rowCount);
    for (uint row = gl_WorkGroupID.x * 16 + gl_SubgroupID; row < end; row += gl_NumSubgroups) {
        uint scaleBase = (firstRow + row) / 128 * scalePitch;
        float sums[4] = float[4](0, 0, 0, 0);
        for (uint k = gl_SubgroupInvocationID * CHUNK; k < columns; k += gl_SubgroupSize * CHUNK) {
            uvec4 chunk = weights[row * chunkPitch + k / CHUNK];
            float scale = chunkScale(scaleBase, k);
            for (uint quad = 0; quad < QUADS && k + quad * 4 < columns; quad++) {
                vec4 w = decodeQuad(chunk, quad) * scale;
                [[unroll]] for (uint t = 0; t < 4; t++)
                    if (t < count)
                        sums[t] += dot(w, activations((firstToken + t) * (xPitch / 4), k + quad * 4, columns));
            }
        }
        [[unroll]] for (uint t = 0; t < 4; t++) {
            float sum = subgroupAdd(sums[t]);
            if (t < count && subgroupElect()) y[(firstToken + t) * yPitch + firstColumn + row] = sum;
        }
    }
}
