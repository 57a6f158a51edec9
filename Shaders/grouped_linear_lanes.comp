#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
// y[a, n] = sum over k of x[a / rowDivisor, k] * W_e[n, k], for every assignment a of every expert e of this part: a
// lane's rows, for narrow subgroups (common_forms.glsl).
//
// x: [assignments / rowDivisor, columns] F32; W: [experts of this part, rows, columns], any format; y: [assignments, rows]
// F32. A workgroup computes one tile of expert_sort's, TOKENS assignments of one expert, by 64 * ROWS weight rows.

#include "common_weights.glsl"
#include "common_forms.glsl"

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { vec4 x[]; };
layout(set = 0, binding = 1, std430) readonly buffer OffsetsBuffer { uint offsets[]; };
layout(set = 0, binding = 2, std430) readonly buffer AssignmentsBuffer { uint assignments[]; };
layout(set = 0, binding = 3, std430) readonly buffer TilesBuffer { uvec2 tiles[]; };
layout(set = 0, binding = 4, std430) readonly buffer WeightsBuffer { uvec4 weights[]; };
layout(set = 0, binding = 5, std430) readonly buffer ScalesBuffer { float scales[]; };
layout(set = 0, binding = 6, std430) writeonly buffer YBuffer { float y[]; };
layout(push_constant) uniform Params {
    uint columns; uint rowCount; uint rowDivisor; uint firstExpert; uint expertCount; uint chunkPitch; uint scaleRows;
    uint scalePitch; uint xPitch; uint yPitch;
};

#include "common_group.glsl"
#define PRODUCT product
#define CHUNK_OF(r, i) weights[i]
#define SCALE_OF(r, i) scales[i]
#include "common_product.glsl"

void main() {
    GroupTile group;
    if (!groupTile(firstExpert, expertCount, group)) return;  // the whole workgroup
    uint begin = gl_WorkGroupID.y * 64 * ROWS, count = min(64 * ROWS, rowCount - begin);  // in one pass
    if (!hasRows(0, 1, ROWS, count)) return;  // the whole subgroup
    uint rows[ROWS], rowScales[ROWS], starts[TOKENS], owners[TOKENS];  // clamped to the last; duplicates are not written
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint row = min(begin + rowInPass(0, 1, r, ROWS, count), rowCount - 1);
        rows[r] = (group.expert * rowCount + row) * chunkPitch;
        rowScales[r] = (group.expert * scaleRows + row / SCALE_ROWS) * scalePitch;
    }
    [[unroll]] for (uint t = 0; t < TOKENS; t++) {
        owners[t] = assignments[min(group.begin + t, group.end - 1)];
        starts[t] = owners[t] / rowDivisor * (xPitch / 4);
    }
    float sums[ROWS][TOKENS];
    product(columns, rows, rowScales, starts, sums);
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        [[unroll]] for (uint t = 0; t < TOKENS; t++) {
            uint row = begin + rowInPass(0, 1, r, ROWS, count);
            if (row < rowCount && group.begin + t < group.end) y[owners[t] * yPitch + row] = sums[r][t];
        }
}
