#version 460
#extension GL_GOOGLE_include_directive : require
// y[a, n] = sum over k of x[a / rowDivisor, k] * W_e[n, k], for every assignment a of every expert e of this part: a from
// assignments[offsets[e]] to assignments[offsets[e + 1] - 1].
//
// x: [assignments / rowDivisor, columns] F32; W: [experts of this part, rows, columns], any format; y: [assignments, rows]
// F32. A workgroup computes one tile of expert_sort's, 32 assignments of one expert, by 32 weight rows, thread i
// assignments i/8*4 ... + 3 by weight rows i%8*4 ... + 3.

#include "common_weights.glsl"

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
#include "common_tile.glsl"

void main() {
    GroupTile group;
    if (!groupTile(firstExpert, expertCount, group)) return;  // the whole workgroup
    uint i = gl_LocalInvocationIndex, first = gl_WorkGroupID.y * TILE;
    uint rows[4];
    for (uint j = 0; j < 4; j++) {
        uint place = group.begin + i / 8 + 8 * j;
        rows[j] = place < group.end ? assignments[place] / rowDivisor * (xPitch / 4) : NO_ROW;
    }
    vec4 sums[4];
    tileProduct(
        rows, columns, (group.expert * rowCount + first) * chunkPitch, chunkPitch, min(TILE, rowCount - first),
        group.expert * scaleRows * scalePitch, first, scalePitch, sums);
    for (uint j = 0; j < 4; j++) {
        uint place = group.begin + i / 8 * 4 + j;
        if (place >= group.end) continue;
        uint assignment = assignments[place];
        for (uint n = 0; n < 4; n++) {
            uint row = first + i % 8 * 4 + n;
            if (row < rowCount) y[assignment * yPitch + row] = sums[j][n];
        }
    }
}
