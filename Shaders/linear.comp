#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
// y[t, n] = sum over k of x'[t, k] * W[n, k], a subgroup's rows or a lane's (common_forms.glsl); with `adds`, added to what
// is in y. x' = x, or with NORMED its RMS norm: x / sqrt(mean(x^2) + epsilon) * gain.
//
// x: [tokens, columns], gain: [columns], F32; W: [rows, columns], any format; y: [tokens, rows] F32. A workgroup computes TOKENS tokens by
// groupRows weight rows.

#include "common_weights.glsl"
#include "common_forms.glsl"

layout(constant_id = 4) const bool NORMED = false;

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { vec4 x[]; };
layout(set = 0, binding = 1, std430) readonly buffer WeightsBuffer { uvec4 weights[]; };
layout(set = 0, binding = 2, std430) readonly buffer ScalesBuffer { float scales[]; };
layout(set = 0, binding = 3, std430) readonly buffer GainBuffer { vec4 gain[]; };
layout(set = 0, binding = 4, std430) buffer YBuffer { float y[]; };
// The bound weight rows are firstRow ... firstRow + rowCount - 1 of the matrix; the first one's result is y[t, firstColumn].
layout(push_constant) uniform Params {
    uint tokenCount; uint columns; uint firstRow; uint firstColumn; uint rowCount; uint chunkPitch; uint scalePitch;
    uint xPitch; uint yPitch; uint groupRows; float epsilon; uint adds;
};

#define PRODUCT product
#define CHUNK_OF(r, i) weights[i]
#define SCALE_OF(r, i) scales[i]
#define GAIN_OF(i) gain[i]
#include "common_product.glsl"

void main() {
    uint firstToken = gl_WorkGroupID.y * TOKENS, begin = gl_WorkGroupID.x * groupRows, end = min(begin + groupRows, rowCount);
    uint rows[ROWS], rowScales[ROWS], starts[TOKENS];  // beyond the last: the last again, computed and not written
    [[unroll]] for (uint t = 0; t < TOKENS; t++) starts[t] = min(firstToken + t, tokenCount - 1) * (xPitch / 4);
    uint passes = passCount(groupRows, ROWS);
    for (uint pass = 0; pass < passes; pass++) {
        if (begin + leastInPass(pass, passes, ROWS) >= end) continue;
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            uint row = min(begin + rowInPass(pass, passes, r, ROWS), end - 1);
            rows[r] = row * chunkPitch;
            rowScales[r] = (firstRow + row) / 128 * scalePitch;
        }
        float sums[ROWS][TOKENS];
        product(columns, rows, rowScales, starts, sums);
        if (!hasSums()) continue;
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            [[unroll]] for (uint t = 0; t < TOKENS; t++) {
                uint row = begin + rowInPass(pass, passes, r, ROWS), token = firstToken + t;
                if (row < end && token < tokenCount) {
                    uint at = token * yPitch + firstColumn + row;
                    y[at] = adds == 0 ? sums[r][t] : y[at] + sums[r][t];
                }
            }
    }
}
