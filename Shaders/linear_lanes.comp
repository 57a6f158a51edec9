#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
// y[t, n] = sum over k of x[t, k] * W[n, k], a lane a weight row: for narrow subgroups.
//
// x: [tokens, columns] F32; W: [rows, columns], any format; y: [tokens, rows] F32. A workgroup computes TOKENS tokens by
// 64 * ROWS weight rows; a lane's rows are SUBGROUP apart.

#include "common_weights.glsl"

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { float x[]; };
layout(set = 0, binding = 1, std430) readonly buffer WeightsBuffer { uvec4 weights[]; };
layout(set = 0, binding = 2, std430) readonly buffer ScalesBuffer { float scales[]; };
layout(set = 0, binding = 3, std430) writeonly buffer YBuffer { float y[]; };
// The bound weight rows are firstRow ... firstRow + rowCount - 1 of the matrix; the first one's result is y[t, firstColumn].
layout(push_constant) uniform Params {
    uint tokenCount; uint columns; uint firstRow; uint firstColumn; uint rowCount; uint chunkPitch; uint scalePitch;
    uint xPitch; uint yPitch;
};

#include "common_lanes.glsl"

void main() {
    uint first = (gl_WorkGroupID.x * 64 + gl_SubgroupID * SUBGROUP) * ROWS + gl_SubgroupInvocationID;
    uint firstToken = gl_WorkGroupID.y * TOKENS;
    uint rows[ROWS], rowScales[ROWS], starts[TOKENS];  // beyond the last: the last again, computed and not written
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint row = min(first + r * SUBGROUP, rowCount - 1);
        rows[r] = row * chunkPitch;
        rowScales[r] = (firstRow + row) / 128 * scalePitch;
    }
    [[unroll]] for (uint t = 0; t < TOKENS; t++) starts[t] = min(firstToken + t, tokenCount - 1) * xPitch;
    float sums[ROWS][TOKENS];
    lanesProduct(columns, rows, rowScales, starts, sums);
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        [[unroll]] for (uint t = 0; t < TOKENS; t++) {
            uint row = first + r * SUBGROUP, token = firstToken + t;
            if (row < rowCount && token < tokenCount) y[token * yPitch + firstColumn + row] = sums[r][t];
        }
}
