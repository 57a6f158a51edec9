#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
// y[t, n] = sum over k of x[t, k] * W[n, k], for many rows: each weight is dequantised once for TILE of them.
//
// x: [tokens, columns] F32; W: [rows, columns], any format; y: [tokens, rows] F32. A workgroup computes TILE tokens
// by TILE weight rows (common_tile.glsl).

#include "common_weights.glsl"

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
    uint firstToken = gl_WorkGroupID.y * TILE, first = gl_WorkGroupID.x * TILE;
    // Clamped to the last; duplicates are not written.
    uint loadedToken = min(firstToken + loadedRow(), tokenCount - 1), weightRow = min(first + loadedRow(), rowCount - 1);
    vec4 sums[ROWS];
    tileProduct(
        columns, loadedToken * (xPitch / 4), weightRow * chunkPitch, (firstRow + weightRow) / SCALE_ROWS * scalePitch, sums);
    [[unroll]] for (uint j = 0; j < ROWS; j++)
        [[unroll]] for (uint n = 0; n < 4; n++) {
            uint token = firstToken + resultRow() + j, row = first + resultColumn() + n;
            if (token < tokenCount && row < rowCount) y[token * yPitch + firstColumn + row] = sums[j][n];
        }
}
