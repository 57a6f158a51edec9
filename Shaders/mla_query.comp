#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
// The absorbed query: query[t, h, 0:C] = sum over d of q[t, h, d] * W[h * (nope + value) + d, 0:C], and
// query[t, h, C:C+R] = rope(q[t, h, nope:nope+R], position).
//
// q: [tokens, heads, nope + R] F32; W = kv_b_proj [heads * (nope + value), C] in FORMAT; query: [tokens, heads, C + R] F32.
// One workgroup a token and head; each thread sums a chunk of columns, so neighbours read neighbouring weights.

#include "common_weights.glsl"

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer QBuffer { float q[]; };
layout(set = 0, binding = 1, std430) readonly buffer WeightsBuffer { uvec4 weights[]; };
layout(set = 0, binding = 2, std430) readonly buffer ScalesBuffer { float scales[]; };
layout(set = 0, binding = 3, std430) readonly buffer FrequenciesBuffer { float frequencies[]; };
layout(set = 0, binding = 4, std430) readonly buffer PositionsBuffer { uint positions[]; };
layout(set = 0, binding = 5, std430) writeonly buffer QueryBuffer { float query[]; };
layout(push_constant) uniform Params {
    uint nopeWidth; uint ropeWidth; uint valueWidth; uint latentWidth; uint qPitch; uint queryPitch; uint chunkPitch;
    uint scalePitch; float ropeFactor;
};

shared float factors[256];  // q[t, h, 0:nope], as many as fit at a time

void main() {
    uint token = gl_WorkGroupID.x, head = gl_WorkGroupID.y;
    uint source = token * qPitch + head * (nopeWidth + ropeWidth);
    uint destination = token * queryPitch + head * (latentWidth + ropeWidth);
    uint firstRow = head * (nopeWidth + valueWidth);
    for (uint base = 0; base < latentWidth; base += 64 * CHUNK) {
        uint column = base + gl_LocalInvocationIndex * CHUNK;
        vec4 sums[QUADS];
        [[unroll]] for (uint quad = 0; quad < QUADS; quad++) sums[quad] = vec4(0);
        for (uint start = 0; start < nopeWidth; start += 256) {
            uint count = min(nopeWidth - start, 256);
            barrier();  // all have read the factors before
            for (uint d = gl_LocalInvocationIndex; d < count; d += 64) factors[d] = q[source + start + d];
            barrier();  // the factors are there
            if (column < latentWidth)
                for (uint d = 0; d < count; d++) {
                    uint row = firstRow + start + d;
                    uvec4 chunk = weights[row * chunkPitch + column / CHUNK];
                    float factor = factors[d];
                    if (FORMAT == 3u) factor *= scales[row / 128 * scalePitch + column / 128] * SCALE_GAIN;
                    [[unroll]] for (uint quad = 0; quad < QUADS; quad++)
                        sums[quad] = fma(decodeQuad(chunk, quad), vec4(factor), sums[quad]);
                }
        }
        [[unroll]] for (uint quad = 0; quad < QUADS; quad++)
            [[unroll]] for (uint i = 0; i < 4; i++)
                if (column + quad * 4 + i < latentWidth) query[destination + column + quad * 4 + i] = sums[quad][i];
    }
    for (uint i = gl_LocalInvocationIndex; i < ropeWidth / 2; i += 64) {
        float angle = float(positions[token]) * frequencies[i];
        float c = cos(angle) * ropeFactor, s = sin(angle) * ropeFactor;
        float a = q[source + nopeWidth + 2 * i], b = q[source + nopeWidth + 2 * i + 1];
        query[destination + latentWidth + 2 * i] = a * c - b * s;
        query[destination + latentWidth + 2 * i + 1] = a * s + b * c;
    }
}
