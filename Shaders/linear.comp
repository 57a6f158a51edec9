#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
// y[t, n] = sum over k of x'[t, k] * W[n, k], a subgroup's rows, a workgroup's or a lane's (common_forms.glsl); with `adds`,
// added to what is in y. x' = x, or with NORMED its RMS norm: x / sqrt(mean(x^2) + epsilon) * gain.
//
// x: [tokens, columns], gain: [columns], F32; W: [rows, columns], any format; y: [tokens, rows] F32. A workgroup computes
// TOKEN_GROUPS * TOKENS tokens by groupRows weight rows.

#include "common_weights.glsl"

layout(constant_id = 4) const uint THREADS = 64u;
layout(constant_id = 5) const uint K_SPLIT = 1u;
#define K_SPLIT K_SPLIT  // common_forms.glsl has 1 for shaders that do not split
#include "common_forms.glsl"

layout(constant_id = 6) const bool NORMED = false;
// Groups of TOKENS tokens that a workgroup computes one after another; from the second on, the weights are in a cache.
layout(constant_id = 7) const uint TOKEN_GROUPS = 1u;

layout(local_size_x_id = 4) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { vec4 x[]; };
layout(set = 0, binding = 1, std430) readonly buffer WeightsBuffer { uvec4 weights[]; };
layout(set = 0, binding = 2, std430) readonly buffer ScalesBuffer { float scales[]; };
layout(set = 0, binding = 3, std430) readonly buffer GainBuffer { vec4 gain[]; };
layout(set = 0, binding = 4, std430) buffer YBuffer { float y[]; };
// The bound weight rows are firstRow ... firstRow + rowCount - 1 of the matrix; the first one's result is y[t, firstColumn].
layout(push_constant) uniform Params {
    uint tokenCount; uint columns; uint firstRow; uint firstColumn; uint rowCount; uint chunkPitch; uint scalePitch;
    uint xPitch; uint yPitch; uint groupRows; float epsilon; uint adds;
};

#define PRODUCT product
#define CHUNK_OF(r, i) weights[i]
#define SCALE_OF(r, i) scales[i]
#define GAIN_OF(i) gain[i]
#include "common_product.glsl"

// Each subgroup's sums: of its rows' products, then of the tokens' squares.
shared float parts[K_SPLIT][(ROWS + 1) * TOKENS];

void write(uint row, uint token, float sum, float square) {
    if (NORMED) sum *= inversesqrt(square / float(columns) + epsilon);
    uint at = token * yPitch + firstColumn + row;
    y[at] = adds == 0 ? sum : y[at] + sum;
}

float sumOfParts(uint e) {
    float sum = 0;
    for (uint s = 0; s < gl_NumSubgroups; s++) sum += parts[s][e];
    return sum;
}

// With K_SPLIT: adds the subgroups' sums up in the subgroups' order, and writes them.
void addParts(uint first, uint end, uint firstToken, float sums[ROWS][TOKENS], float squares[TOKENS]) {
    if (subgroupElect())
        [[unroll]] for (uint t = 0; t < TOKENS; t++) {
            [[unroll]] for (uint r = 0; r < ROWS; r++) parts[gl_SubgroupID][r * TOKENS + t] = sums[r][t];
            parts[gl_SubgroupID][ROWS * TOKENS + t] = squares[t];
        }
    barrier();  // all parts are complete
    for (uint e = gl_LocalInvocationIndex; e < ROWS * TOKENS; e += THREADS) {
        uint row = first + e / TOKENS, token = firstToken + e % TOKENS;
        if (row < end && token < tokenCount)
            write(row, token, sumOfParts(e), NORMED ? sumOfParts(ROWS * TOKENS + e % TOKENS) : 0);
    }
    barrier();  // all have read them, before the next rows' overwrite them
}

void main() {
    uint begin = gl_WorkGroupID.x * groupRows, end = min(begin + groupRows, rowCount);
    uint rows[ROWS], rowScales[ROWS], starts[TOKENS];  // clamped to the last; duplicates are not written
    uint count = end - begin, passes = passCount(count, ROWS);
    for (uint pass = 0; pass < passes; pass++) {
        if (!hasRows(pass, passes, ROWS, count)) continue;
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            uint row = min(begin + rowInPass(pass, passes, r, ROWS, count), end - 1);
            rows[r] = row * chunkPitch;
            rowScales[r] = (firstRow + row) / SCALE_ROWS * scalePitch;
        }
        for (uint group = 0; group < TOKEN_GROUPS; group++) {
            uint firstToken = (gl_WorkGroupID.y * TOKEN_GROUPS + group) * TOKENS;
            if (TOKEN_GROUPS > 1u && firstToken >= tokenCount) continue;
            [[unroll]] for (uint t = 0; t < TOKENS; t++) starts[t] = min(firstToken + t, tokenCount - 1) * (xPitch / 4);
            float sums[ROWS][TOKENS], squares[TOKENS];
            product(columns, rows, rowScales, starts, sums, squares);
            if (K_SPLIT > 1u) addParts(begin + rowInPass(pass, passes, 0, ROWS, count), end, firstToken, sums, squares);
            if (K_SPLIT > 1u || !hasSums()) continue;
            [[unroll]] for (uint r = 0; r < ROWS; r++)
                [[unroll]] for (uint t = 0; t < TOKENS; t++) {
                    uint row = begin + rowInPass(pass, passes, r, ROWS, count), token = firstToken + t;
                    if (row < end && token < tokenCount) write(row, token, sums[r][t], squares[t]);
                }
        }
    }
}
