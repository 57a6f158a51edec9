#version 460
// y[i] = x[i], 16 bytes at a time: how fast the device's memory is.
//
// x, y: [n] chunks of four words. Thread i of all copies chunks i, i + threads, i + 2 · threads, ...

layout(local_size_x = 256) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { uvec4 x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer YBuffer { uvec4 y[]; };
layout(push_constant) uniform Params { uint chunkCount; };

void main() {
    uint threads = gl_NumWorkGroups.x * 256;
    for (uint i = gl_GlobalInvocationID.x; i < chunkCount; i += threads) y[i] = x[i];
}
