#version 460
#extension GL_GOOGLE_include_directive : require
// y[t, n] = sum over k of x[t, k] * W[n, k], for many rows: each weight is dequantised once for 32 of them.
//
// x: [tokens, columns] F32; W: [rows, columns], any format; y: [tokens, rows] F32. A workgroup computes 32 tokens by 32
// weight rows, thread i tokens i/8*4 ... + 3 by weight rows i%8*4 ... + 3.

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

#include "common_tile.glsl"

void main() {
    uint i = gl_LocalInvocationIndex;
    uint firstToken = gl_WorkGroupID.y * TILE, first = gl_WorkGroupID.x * TILE;
    uint rows[4];
    for (uint j = 0; j < 4; j++) {
        uint token = firstToken + i / 8 + 8 * j;
        rows[j] = token < tokenCount ? token * (xPitch / 4) : NO_ROW;
    }
    vec4 sums[4];
    tileProduct(
        rows, columns, first * chunkPitch, chunkPitch, min(TILE, rowCount - first), 0, firstRow + first, scalePitch, sums);
    for (uint j = 0; j < 4; j++) {
        uint token = firstToken + i / 8 * 4 + j;
        for (uint n = 0; n < 4; n++) {
            uint row = first + i % 8 * 4 + n;
            if (token < tokenCount && row < rowCount) y[token * yPitch + firstColumn + row] = sums[j][n];
        }
    }
}
