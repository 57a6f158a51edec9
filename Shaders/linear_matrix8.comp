#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_float_e4m3 : require
// y[t, n] = sum over blocks b of 128 columns of s[t, b] * S[n, b] * (sum over k in b of x[t, k] * W[n, k]) on matrix units that
// take FP8: FP32 sums.
//
// x: [tokens, columns] E4M3 (quantise_rows) with scales s: [tokens, blocks] F32; W: [rows, columns] E4M3 with a scale S for
// each 128 by 128; y: [tokens, rows] F32. A workgroup of four subgroups computes 64 tokens by 64 weight rows
// (common_matrix.glsl).

#define FP8_INPUTS
#include "common_weights.glsl"

layout(local_size_x_id = 5) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { uvec4 x[]; };
layout(set = 0, binding = 1, std430) readonly buffer XScalesBuffer { float xScales[]; };
layout(set = 0, binding = 2, std430) readonly buffer WeightsBuffer { uvec4 weights[]; };
layout(set = 0, binding = 3, std430) readonly buffer ScalesBuffer { float scales[]; };
layout(set = 0, binding = 4, std430) writeonly buffer YBuffer { float y[]; };
// The bound weight rows are firstRow ... firstRow + rowCount - 1 of the matrix; the first one's result is y[t, firstColumn].
// Tiles begin at multiples of 64 of the matrix's rows, so that none is in two blocks of scales.
layout(push_constant) uniform Params {
    uint tokenCount; uint columns; uint firstRow; uint firstColumn; uint rowCount; uint chunkPitch; uint scalePitch;
    uint xPitch; uint yPitch;
};

#include "common_matrix.glsl"

uint firstToken = gl_WorkGroupID.y * TILE;
// The tile's first row of the bound ones; below 0 (wrapped) where the matrix's multiple of 64 is before them.
uint firstBound = (firstRow / TILE + gl_WorkGroupID.x) * TILE - firstRow;

uint xStart(uint row) { return min(firstToken + row, tokenCount - 1) * (xPitch / X_CHUNK); }

uint weightStart(uint row) { return min(firstBound + row, rowCount - 1) * chunkPitch; }

float xScale(uint row, uint block) {
    return xScales[min(firstToken + row, tokenCount - 1) * scalePitch + block];  // there are as many as scales of a weight row
}

void put(uint row, uint column, float sum) {
    uint token = firstToken + row;
    if (token < tokenCount && firstBound + column < rowCount)
        y[token * yPitch + firstColumn + firstBound + column] = sum;
}

void main() { matrixProduct(columns, (firstRow + firstBound) / 128 * scalePitch, tokenCount - firstToken); }
