#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_shader_16bit_storage : require
// y[t, n] = scale[t] * sum over k of x[t, k] * W[n, k] on matrix units: FP16 inputs, FP32 sums.
//
// x: [tokens, columns] F16, each row divided by its scale (half_rows); W: [rows, columns], BF16, F16 or FP8; y: [tokens, rows]
// F32. A workgroup of four subgroups computes 64 tokens by 64 weight rows, each subgroup 32 by 32; the weights are decoded on
// the way into shared memory, and the next step's are loaded while this one's are multiplied. FP8 codes go in as they are
// (exact in FP16); a block's scale is applied to its sum.

#include "common_weights.glsl"

layout(constant_id = 1) const uint M = 16u;
layout(constant_id = 2) const uint N = 16u;
layout(constant_id = 3) const uint K = 16u;
layout(constant_id = 4) const uint REQUIRED_SUBGROUP = 32u;  // lanes; four subgroups make THREADS
layout(constant_id = 5) const uint THREADS = 128u;

layout(local_size_x_id = 5) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { uvec4 x[]; };
layout(set = 0, binding = 1, std430) readonly buffer RowScalesBuffer { float rowScales[]; };
layout(set = 0, binding = 2, std430) readonly buffer WeightsBuffer { uvec4 weights[]; };
layout(set = 0, binding = 3, std430) readonly buffer ScalesBuffer { float scales[]; };
layout(set = 0, binding = 4, std430) writeonly buffer YBuffer { float y[]; };
// The bound weight rows are firstRow ... firstRow + rowCount - 1 of the matrix; the first one's result is y[t, firstColumn].
// Tiles begin at multiples of 64 of the matrix's rows, so that none is in two blocks of scales.
layout(push_constant) uniform Params {
    uint tokenCount; uint columns; uint firstRow; uint firstColumn; uint rowCount; uint chunkPitch; uint scalePitch;
    uint xPitch; uint yPitch;
};

const uint TILE = 64u, STEP = 32u, PITCH = STEP + 8;  // a tile's rows are PITCH apart: loads fall on different banks
const uint PART = 32u;                                // of a subgroup
const uint X_LOADS = (TILE * STEP / 8 + THREADS - 1) / THREADS;
const uint W_LOADS = (TILE * STEP / CHUNK + THREADS - 1) / THREADS;
shared float16_t xTile[2][TILE * PITCH];
shared float16_t wTile[2][TILE * PITCH];
shared float outTile[4][M * N];

#define LEFT coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA>
#define RIGHT coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB>
#define SUMS coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>

uint firstToken = gl_WorkGroupID.y * TILE;
// The tile's first row of the bound ones; below 0 (wrapped) where the matrix's multiple of 64 is before them.
uint firstBound = (firstRow / TILE + gl_WorkGroupID.x) * TILE - firstRow;

void fetch(uint k, out uvec4 xs[X_LOADS], out uvec4 ws[W_LOADS]) {
    [[unroll]] for (uint n = 0; n < X_LOADS; n++) {
        uint e = n * THREADS + gl_LocalInvocationIndex, token = firstToken + e / (STEP / 8), at = k + e % (STEP / 8) * 8;
        xs[n] = e < TILE * STEP / 8 && token < tokenCount && at < columns ? x[(token * xPitch + at) / 8] : uvec4(0);
    }
    [[unroll]] for (uint n = 0; n < W_LOADS; n++) {
        uint e = n * THREADS + gl_LocalInvocationIndex, row = firstBound + e / (STEP / CHUNK);
        uint at = k + e % (STEP / CHUNK) * CHUNK;
        ws[n] = e < TILE * STEP / CHUNK && row < rowCount && at < columns ? weights[row * chunkPitch + at / CHUNK] : uvec4(0);
    }
}

void store(uint buffer_, uvec4 xs[X_LOADS], uvec4 ws[W_LOADS]) {
    [[unroll]] for (uint n = 0; n < X_LOADS; n++) {
        uint e = n * THREADS + gl_LocalInvocationIndex, at = e / (STEP / 8) * PITCH + e % (STEP / 8) * 8;
        if (e < TILE * STEP / 8)
            [[unroll]] for (uint i = 0; i < 4; i++) {
                f16vec2 pair = unpackFloat2x16(xs[n][i]);
                xTile[buffer_][at + 2 * i] = pair.x;
                xTile[buffer_][at + 2 * i + 1] = pair.y;
            }
    }
    [[unroll]] for (uint n = 0; n < W_LOADS; n++) {
        uint e = n * THREADS + gl_LocalInvocationIndex, at = e / (STEP / CHUNK) * PITCH + e % (STEP / CHUNK) * CHUNK;
        if (e < TILE * STEP / CHUNK)
            [[unroll]] for (uint quad = 0; quad < QUADS; quad++) {
                f16vec4 value = f16vec4(decodeQuad(ws[n], quad));
                [[unroll]] for (uint i = 0; i < 4; i++) wTile[buffer_][at + quad * 4 + i] = value[i];
            }
    }
}

void main() {
    uint rowPart = gl_SubgroupID / 2 * PART, columnPart = gl_SubgroupID % 2 * PART;
    SUMS totals[PART / M][PART / N], sums[PART / M][PART / N];
    [[unroll]] for (uint i = 0; i < PART / M; i++)
        [[unroll]] for (uint j = 0; j < PART / N; j++) {
            totals[i][j] = SUMS(0.0);
            sums[i][j] = SUMS(0.0);
        }
    uvec4 xs[X_LOADS], ws[W_LOADS];
    fetch(0, xs, ws);
    uint current = 0;
    for (uint k = 0; k < columns; k += STEP) {
        store(current, xs, ws);
        barrier();  // the tiles are there; the others' were read before the last barrier but one
        if (k + STEP < columns) fetch(k + STEP, xs, ws);
        [[unroll]] for (uint inner = 0; inner < STEP; inner += K) {
            RIGHT right[PART / N];
            [[unroll]] for (uint j = 0; j < PART / N; j++)
                coopMatLoad(
                    right[j], wTile[current], (columnPart + j * N) * PITCH + inner, PITCH,
                    gl_CooperativeMatrixLayoutColumnMajor);
            [[unroll]] for (uint i = 0; i < PART / M; i++) {
                LEFT left;
                coopMatLoad(
                    left, xTile[current], (rowPart + i * M) * PITCH + inner, PITCH, gl_CooperativeMatrixLayoutRowMajor);
                [[unroll]] for (uint j = 0; j < PART / N; j++) sums[i][j] = coopMatMulAdd(left, right[j], sums[i][j]);
            }
        }
        current = 1 - current;
        // A block of scales ends: its sum gets its scale.
        if (FORMAT == 3u && ((k + STEP) % 128 == 0 || k + STEP >= columns)) {
            float scale = scales[(firstRow + firstBound) / 128 * scalePitch + k / 128] * SCALE_GAIN;
            [[unroll]] for (uint i = 0; i < PART / M; i++)
                [[unroll]] for (uint j = 0; j < PART / N; j++) {
                    totals[i][j] = totals[i][j] + sums[i][j] * scale;
                    sums[i][j] = SUMS(0.0);
                }
        }
    }
    [[unroll]] for (uint i = 0; i < PART / M; i++)
        [[unroll]] for (uint j = 0; j < PART / N; j++) {
            SUMS result = FORMAT == 3u ? totals[i][j] : sums[i][j];
            coopMatStore(result, outTile[gl_SubgroupID], 0, N, gl_CooperativeMatrixLayoutRowMajor);
            barrier();  // the piece is there: ragged edges and scales are the lanes' to see to
            for (uint e = gl_SubgroupInvocationID; e < M * N; e += REQUIRED_SUBGROUP) {
                uint token = firstToken + rowPart + i * M + e / N, row = firstBound + columnPart + j * N + e % N;
                if (token < tokenCount && row < rowCount)
                    y[token * yPitch + firstColumn + row] = outTile[gl_SubgroupID][e] * rowScales[token];
            }
            barrier();  // it was read, before the next overwrites it
        }
}
