#version 460
#extension GL_GOOGLE_include_directive : require
// y[t, :] = table[indices[t], :] for the indices whose row lies in this binding (a table may exceed a binding's limit).
// With CHOSEN, the index of a row with a source is chosen[sources[t]] instead: a token that an earlier step chose.
//
// table: [rows, width] in FORMAT (F32, BF16 or F16), y: [indices, width] F32. A workgroup writes 256 elements of one row.

#include "common_weights.glsl"

layout(constant_id = 1) const bool CHOSEN = false;
const uint NO_SOURCE = 0xFFFFFFFFu;

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer IndicesBuffer { uint indices[]; };
layout(set = 0, binding = 1, std430) readonly buffer TableBuffer { uvec4 table[]; };
layout(set = 0, binding = 2, std430) readonly buffer SourcesBuffer { uint sources[]; };
layout(set = 0, binding = 3, std430) readonly buffer ChosenBuffer { uint chosen[]; };
layout(set = 0, binding = 4, std430) writeonly buffer YBuffer { float y[]; };
layout(push_constant) uniform Params { uint firstRow; uint rowCount; uint width; uint chunkPitch; uint yPitch; };

void main() {
    uint t = gl_WorkGroupID.x;
    uint column = (gl_WorkGroupID.y * 64 + gl_LocalInvocationIndex) * 4;
    uint index = indices[t];
    if (CHOSEN && sources[t] != NO_SOURCE) index = chosen[sources[t]];
    uint row = index - firstRow;
    if (row >= rowCount || column >= width) return;
    vec4 value = decodeQuad(table[row * chunkPitch + column / CHUNK], column % CHUNK / 4);
    for (uint i = 0; i < 4 && column + i < width; i++) y[t * yPitch + column + i] = value[i];
}
