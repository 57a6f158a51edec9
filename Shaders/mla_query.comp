#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
// The absorbed query: query[t, h, 0:C] = sum over d of q[t, h, d] * W[h * (nope + value) + d, 0:C], and
// query[t, h, C:C+R] = rope(q[t, h, nope:nope+R], position); zeros follow up to the width.
//
// q: [tokens, heads, nope + R] F32; W = kv_b_proj [heads * (nope + value), C] in FORMAT; query: [tokens, heads, width] F32,
// width = C + R up to a multiple of 8.
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
    uint nopeWidth; uint ropeWidth; uint valueWidth; uint latentWidth; uint width; uint qPitch; uint queryPitch; uint chunkPitch;
    uint scalePitch; float ropeFactor;
};

const uint LOADS = 4u;  // weight rows whose chunks are in flight together

void main() {
    uint token = gl_WorkGroupID.x, head = gl_WorkGroupID.y;
    uint source = token * qPitch + head * (nopeWidth + ropeWidth);
    uint destination = token * queryPitch + head * width;
    uint firstRow = head * (nopeWidth + valueWidth);
    for (uint base = 0; base < latentWidth; base += 64 * CHUNK) {
        uint column = base + gl_LocalInvocationIndex * CHUNK;
        // Clamped to the last chunk; duplicates are not written.
        uint at = min(column, latentWidth - 1) / CHUNK, block = min(column, latentWidth - 1) / SCALE_COLUMNS;
        vec4 sums[QUADS];
        [[unroll]] for (uint quad = 0; quad < QUADS; quad++) sums[quad] = vec4(0);
        for (uint start = 0; start < nopeWidth; start += LOADS) {
            uvec4 chunks[LOADS];
            float factors[LOADS];
            [[unroll]] for (uint n = 0; n < LOADS; n++) {
                uint d = min(start + n, nopeWidth - 1), row = firstRow + d;
                chunks[n] = weights[row * chunkPitch + at];
                factors[n] = start + n < nopeWidth ? q[source + d] : 0.0;
                if (SCALED) factors[n] *= applied(scales[row / SCALE_ROWS * scalePitch + block]);
            }
            [[unroll]] for (uint n = 0; n < LOADS; n++)
                [[unroll]] for (uint quad = 0; quad < QUADS; quad++)
                    sums[quad] = fma(decodeQuad(chunks[n], quad), vec4(factors[n]), sums[quad]);
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
    uint rest = latentWidth + ropeWidth + gl_LocalInvocationIndex;
    if (rest < width) query[destination + rest] = 0;
}
