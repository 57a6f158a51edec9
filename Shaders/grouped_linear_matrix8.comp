#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_float_e4m3 : require
// y[a, n] = sum over blocks b of 128 columns of s[t, b] * S_e[n, b] * (sum over k in b of x[t, k] * W_e[n, k]),
// t = a / rowDivisor, for every assignment a of every expert e of this part, on matrix units that take FP8: FP32 sums.
//
// x: [assignments / rowDivisor, columns] E4M3 (quantise_rows) with scales s: [the same, blocks] F32; W: [experts of this part,
// rows, columns] E4M3 with a scale S for each 128 by 128; y: [assignments, rows] F32. A workgroup of four subgroups computes
// one tile of expert_sort's, 64 assignments of one expert, by 64 weight rows (common_matrix.glsl).

#define FP8_INPUTS
#include "common_weights.glsl"

layout(local_size_x_id = 5) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { uvec4 x[]; };
layout(set = 0, binding = 1, std430) readonly buffer XScalesBuffer { float xScales[]; };
layout(set = 0, binding = 2, std430) readonly buffer OffsetsBuffer { uint offsets[]; };
layout(set = 0, binding = 3, std430) readonly buffer AssignmentsBuffer { uint assignments[]; };
layout(set = 0, binding = 4, std430) readonly buffer TilesBuffer { uvec2 tiles[]; };
layout(set = 0, binding = 5, std430) readonly buffer WeightsBuffer { uvec4 weights[]; };
layout(set = 0, binding = 6, std430) readonly buffer ScalesBuffer { float scales[]; };
layout(set = 0, binding = 7, std430) writeonly buffer YBuffer { float y[]; };
layout(push_constant) uniform Params {
    uint columns; uint rowCount; uint rowDivisor; uint firstExpert; uint expertCount; uint chunkPitch; uint scaleRows;
    uint scalePitch; uint xPitch; uint yPitch;
};

#include "common_group.glsl"
#include "common_matrix.glsl"

GroupTile group;
uint firstRow = gl_WorkGroupID.y * TILE;
shared uint owners[TILE];  // the tile's assignments, clamped to the last

uint xStart(uint row) { return owners[row] / rowDivisor * (xPitch / X_CHUNK); }

uint weightStart(uint row) { return (group.expert * rowCount + min(firstRow + row, rowCount - 1)) * chunkPitch; }

float xScale(uint row, uint block) {
    return xScales[owners[row] / rowDivisor * scalePitch + block];  // there are as many as scales of a weight row
}

void put(uint row, uint column, float sum) {
    if (group.begin + row < group.end && firstRow + column < rowCount)
        y[owners[row] * yPitch + firstRow + column] = sum;
}

void main() {
    if (!groupTile(firstExpert, expertCount, group)) return;  // the whole workgroup
    for (uint i = gl_LocalInvocationIndex; i < TILE; i += THREADS)
        owners[i] = assignments[min(group.begin + i, group.end - 1)];
    barrier();  // owners is complete
    matrixProduct(columns, (group.expert * scaleRows + firstRow / 128) * scalePitch, group.end - group.begin);
}
