#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
// y[a, n] = sum over k of x[a / rowDivisor, k] * W_e[n, k], for every assignment a of every expert e of this part: a from
// assignments[offsets[e]] to assignments[offsets[e + 1] - 1].
//
// x: [assignments / rowDivisor, columns] F32; W: [experts of this part, rows, columns], any format; y: [assignments, rows]
// F32. A workgroup computes one tile of expert_sort's, TILE assignments of one expert, by TILE weight rows (common_tile.glsl).

#include "common_weights.glsl"

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
#include "common_tile.glsl"

void main() {
    GroupTile group;
    if (!groupTile(firstExpert, expertCount, group)) return;  // the whole workgroup
    uint first = gl_WorkGroupID.y * TILE;
    // Clamped to the last; duplicates are not written.
    uint loaded = assignments[min(group.begin + loadedRow(), group.end - 1)] / rowDivisor;
    uint weightRow = min(first + loadedRow(), rowCount - 1);
    vec4 sums[ROWS];
    tileProduct(
        columns, loaded * (xPitch / 4), (group.expert * rowCount + weightRow) * chunkPitch,
        (group.expert * scaleRows + weightRow / SCALE_ROWS) * scalePitch, sums);
    [[unroll]] for (uint j = 0; j < ROWS; j++) {
        uint place = group.begin + resultRow() + j;
        if (place >= group.end) continue;
        uint assignment = assignments[place];
        [[unroll]] for (uint n = 0; n < 4; n++) {
            uint row = first + resultColumn() + n;
            if (row < rowCount) y[assignment * yPitch + row] = sums[j][n];
        }
    }
}
