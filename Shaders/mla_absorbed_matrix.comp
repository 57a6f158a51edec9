#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_shader_16bit_storage : require
// mla_absorbed on matrix units: the same sums and operands (see there), FP16 inputs, FP32 scores, softmax and sums.
//
// A workgroup of eight subgroups takes ROWS heads of one token over one split, KEYS keys at a time. Their entries are
// read once, into shared memory, and serve as keys and as values, while the next ones are loaded. Of the scores
// [ROWS, KEYS] a subgroup sums one piece over some slices of the width, for which it holds the queries; of the result
// [ROWS, LATENT] it holds every eighth block of columns. Each query row is divided by the power of two next above its
// largest element, so that it cannot overflow; an entry beyond 65504 does, and the step fails.

#include "common_cache.glsl"
#include "common_splits.glsl"

layout(constant_id = 2) const uint M = 16u;
layout(constant_id = 3) const uint N = 16u;
layout(constant_id = 4) const uint K = 16u;
layout(constant_id = 5) const uint REQUIRED_SUBGROUP = 32u;  // lanes; eight subgroups make THREADS
layout(constant_id = 6) const uint THREADS = 256u;
layout(constant_id = 7) const uint ROWS = 16u;    // heads: a multiple of M and of KEYS
layout(constant_id = 8) const uint WIDTH = 576u;  // of an entry, a multiple of 8
layout(constant_id = 9) const uint LATENT = 512u;

layout(local_size_x_id = 6) in;
layout(set = 0, binding = 0, std430) readonly buffer QueryBuffer { vec4 query[]; };
layout(set = 0, binding = 1, std430) readonly buffer CacheBuffer { uvec4 cache[]; };
layout(set = 0, binding = 2, std430) readonly buffer PositionsBuffer { uint positions[]; };
layout(set = 0, binding = 3, std430) readonly buffer SequencesBuffer { uint sequences[]; };
layout(set = 0, binding = 4, std430) readonly buffer PageTableBuffer { uint pageTable[]; };
layout(set = 0, binding = 5, std430) writeonly buffer YBuffer { float y[]; };
layout(push_constant) uniform Params {
    uint headCount; uint queryPitch; uint maxPages; uint mostSplits; uint splitCount; uint yPitch; float scale;
};

const uint KEYS = 16u, SUBGROUPS = 8u;
// Whole matrices, with zeros beyond WIDTH; rows PITCH apart fall on different banks.
const uint PADDED = (WIDTH + 15) / 16 * 16, PITCH = PADDED + 8, WEIGHT_PITCH = KEYS + 8;
const uint CHUNK = CACHE_BF16 ? 8u : 4u, CHUNKS = WIDTH / CHUNK;
const uint LOADS = (KEYS * CHUNKS + THREADS - 1) / THREADS;
const uint BLOCKS = ROWS / M * (KEYS / N), PARTS = SUBGROUPS / BLOCKS;
const uint SLICES = (PADDED / K + PARTS - 1) / PARTS;                              // of the width, a subgroup's
const uint COLUMNS = (LATENT + N - 1) / N, SHARE = (COLUMNS + SUBGROUPS - 1) / SUBGROUPS;  // blocks of columns
const uint ROW_SHARE = ROWS / SUBGROUPS, KEY_SHARE = (KEYS + REQUIRED_SUBGROUP - 1) / REQUIRED_SUBGROUP;
const float OUT = -3.4e38;

shared f16vec4 tile[KEYS * PITCH / 4];
shared float pieces[SUBGROUPS][M * N];
shared float16_t weights[ROWS * WEIGHT_PITCH];
shared float factors[ROWS * N];  // each row's, N times
shared float rowScales[ROWS], maxima[ROWS], sums[ROWS];

#define LEFT coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA>
#define RIGHT coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB>
#define SUMS coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>

uint token = gl_WorkGroupID.x, firstHead = gl_WorkGroupID.y * ROWS, lane = gl_SubgroupInvocationID;
uint pages = sequences[token] * maxPages;
uint block = gl_SubgroupID % BLOCKS, part = gl_SubgroupID / BLOCKS;  // of the scores and of the width
uint firstRow = block / (KEYS / N) * M, firstKey = block % (KEYS / N) * N;

// Rows base ... base + KEYS - 1 of the queries into `tile`. Clamped to the last head; duplicates are not
// written.
void storeQueries(uint base) {
    [[unroll]] for (uint r = 0; r < KEYS / SUBGROUPS; r++) {
        uint row = gl_SubgroupID * (KEYS / SUBGROUPS) + r;
        uint source = (token * queryPitch + min(firstHead + base + row, headCount - 1) * WIDTH) / 4;
        float largest = 0;
        for (uint i = lane; i < WIDTH / 4; i += REQUIRED_SUBGROUP) {
            vec4 quad = abs(query[source + i]);
            largest = max(largest, max(max(quad.x, quad.y), max(quad.z, quad.w)));
        }
        largest = subgroupMax(largest);
        // As in half_rows.
        uint exponent = (floatBitsToUint(largest) + 0x7FFFFFu) >> 23;
        exponent = largest == 0 ? 127u : clamp(exponent, 2u, 252u);
        float inverse = uintBitsToFloat((254u - exponent) << 23);
        for (uint i = lane; i < PADDED / 4; i += REQUIRED_SUBGROUP)
            tile[row * (PITCH / 4) + i] = i < WIDTH / 4 ? f16vec4(query[source + i] * inverse) : f16vec4(0);
        if (lane == 0) rowScales[base + row] = uintBitsToFloat(exponent << 23);
    }
}

// The entries of the keys start ... start + KEYS - 1, which are of one page. From `end` on: something finite, whose
// weights are 0.
void fetch(uint start, uint end, out uvec4 loads[LOADS]) {
    uint source = entryOffset(pageTable[pages + start / PAGE], start, WIDTH) / CHUNK;
    uint last = min(KEYS, end - start) * CHUNKS - 1;
    [[unroll]] for (uint n = 0; n < LOADS; n++)
        loads[n] = cache[source + min(n * THREADS + gl_LocalInvocationIndex, last)];
}

void store(uvec4 loads[LOADS]) {
    [[unroll]] for (uint n = 0; n < LOADS; n++) {
        uint e = n * THREADS + gl_LocalInvocationIndex, at = e / CHUNKS * (PITCH / 4) + e % CHUNKS * (CHUNK / 4);
        if (e >= KEYS * CHUNKS) continue;
        if (CACHE_BF16) {
            tile[at] = f16vec4(uintBitsToFloat(uvec4(loads[n].xy << 16, loads[n].xy & 0xFFFF0000u)).xzyw);
            tile[at + 1] = f16vec4(uintBitsToFloat(uvec4(loads[n].zw << 16, loads[n].zw & 0xFFFF0000u)).xzyw);
        } else {
            tile[at] = f16vec4(uintBitsToFloat(loads[n]));
        }
    }
}

// The weights exp(s - max s) of this subgroup's rows, and the factors for the rows' sums so far. A lane's
// totals are of its own keys.
void weigh(uint start, uint end, inout float largest[ROW_SHARE], inout float totals[ROW_SHARE]) {
    [[unroll]] for (uint r = 0; r < ROW_SHARE; r++) {
        uint row = gl_SubgroupID * ROW_SHARE + r;
        float scores[KEY_SHARE], m = largest[r];
        [[unroll]] for (uint n = 0; n < KEY_SHARE; n++) {
            uint j = lane + n * REQUIRED_SUBGROUP;
            scores[n] = OUT;
            if (j < KEYS && start + j < end) {
                uint piece = row / M * (KEYS / N) + j / N, at = row % M * N + j % N;
                float sum = pieces[piece][at];
                [[unroll]] for (uint p = 1; p < PARTS; p++) sum += pieces[p * BLOCKS + piece][at];
                scores[n] = sum * rowScales[row] * scale;
            }
            m = max(m, scores[n]);
        }
        m = subgroupMax(m);
        float rescale = exp(largest[r] - m);
        largest[r] = m;
        totals[r] *= rescale;
        [[unroll]] for (uint n = 0; n < KEY_SHARE; n++) {
            uint j = lane + n * REQUIRED_SUBGROUP;
            // The sum is over the rounded weights, as the values' sums are, so that a common error cancels.
            float16_t weight = float16_t(scores[n] > OUT ? exp(scores[n] - m) : 0.0);
            totals[r] += float(weight);
            if (j < KEYS) weights[row * WEIGHT_PITCH + j] = weight;
        }
        for (uint c = lane; c < N; c += REQUIRED_SUBGROUP) factors[row * N + c] = rescale;
    }
}

void main() {
    uint keyCount = positions[token] + 1, split = gl_WorkGroupID.z, splitKeys = splitLength(keyCount, mostSplits);
    uint first = split * splitKeys, end = min(keyCount, first + splitKeys);
    if (first >= keyCount) return;  // the whole workgroup

    LEFT queries[SLICES];
    [[unroll]] for (uint base = 0; base < ROWS; base += KEYS) {
        storeQueries(base);
        barrier();  // the rows are complete
        if (firstRow / KEYS * KEYS == base)
            [[unroll]] for (uint i = 0; i < SLICES; i++) {
                uint slice = min(i * PARTS + part, PADDED / K - 1);
                coopMatLoad(
                    queries[i], tile, ((firstRow - base) * PITCH + slice * K) / 4, PITCH / 4,
                    gl_CooperativeMatrixLayoutRowMajor);
            }
        barrier();  // all have read them, before others overwrite them
    }

    SUMS values[ROWS / M][SHARE];
    [[unroll]] for (uint i = 0; i < ROWS / M; i++)
        [[unroll]] for (uint c = 0; c < SHARE; c++) values[i][c] = SUMS(0.0);
    float largest[ROW_SHARE], totals[ROW_SHARE];
    [[unroll]] for (uint r = 0; r < ROW_SHARE; r++) {
        largest[r] = OUT;
        totals[r] = 0;
    }
    uvec4 loads[LOADS];
    fetch(first, end, loads);
    for (uint start = first; start < end; start += KEYS) {
        store(loads);
        barrier();  // the entries are complete
        if (start + KEYS < end) fetch(start + KEYS, end, loads);
        SUMS piece = SUMS(0.0);
        [[unroll]] for (uint i = 0; i < SLICES; i++) {
            uint slice = i * PARTS + part;
            if (slice >= PADDED / K) continue;
            RIGHT keys;
            coopMatLoad(
                keys, tile, (firstKey * PITCH + slice * K) / 4, PITCH / 4, gl_CooperativeMatrixLayoutColumnMajor);
            piece = coopMatMulAdd(queries[i], keys, piece);
        }
        coopMatStore(piece, pieces[gl_SubgroupID], 0, N, gl_CooperativeMatrixLayoutRowMajor);
        barrier();  // all pieces of the scores are complete
        weigh(start, end, largest, totals);
        barrier();  // weights and factors are complete

        [[unroll]] for (uint i = 0; i < ROWS / M; i++) {
            SUMS factor;
            coopMatLoad(factor, factors, i * M * N, N, gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint c = 0; c < SHARE; c++) values[i][c] = values[i][c] * factor;
        }
        [[unroll]] for (uint k = 0; k < KEYS; k += K) {
            LEFT left[ROWS / M];
            [[unroll]] for (uint i = 0; i < ROWS / M; i++)
                coopMatLoad(
                    left[i], weights, i * M * WEIGHT_PITCH + k, WEIGHT_PITCH, gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint c = 0; c < SHARE; c++) {
                uint column = c * SUBGROUPS + gl_SubgroupID;
                if (column >= COLUMNS) continue;
                RIGHT right;
                coopMatLoad(
                    right, tile, (k * PITCH + column * N) / 4, PITCH / 4, gl_CooperativeMatrixLayoutRowMajor);
                [[unroll]] for (uint i = 0; i < ROWS / M; i++)
                    values[i][c] = coopMatMulAdd(left[i], right, values[i][c]);
            }
        }
        barrier();  // all have read entries, weights and factors, before the next overwrite them
    }

    [[unroll]] for (uint r = 0; r < ROW_SHARE; r++) {
        float total = subgroupAdd(totals[r]);
        if (lane == 0) {
            maxima[gl_SubgroupID * ROW_SHARE + r] = largest[r];
            sums[gl_SubgroupID * ROW_SHARE + r] = total;
        }
    }
    barrier();  // the totals are complete
    uint headPitch = mostSplits == 0u ? LATENT : splitCount * (LATENT + 2);
    uint target = token * yPitch + firstHead * headPitch + split * (LATENT + 2);
    [[unroll]] for (uint i = 0; i < ROWS / M; i++)
        [[unroll]] for (uint c = 0; c < SHARE; c++) {
            coopMatStore(values[i][c], pieces[gl_SubgroupID], 0, N, gl_CooperativeMatrixLayoutRowMajor);
            barrier();  // the piece is complete; lanes handle edges and divisors
            for (uint e = lane; e < M * N; e += REQUIRED_SUBGROUP) {
                uint row = i * M + e / N, column = (c * SUBGROUPS + gl_SubgroupID) * N + e % N;
                if (firstHead + row < headCount && column < LATENT)
                    y[target + row * headPitch + column] =
                        pieces[gl_SubgroupID][e] / (mostSplits == 0u ? sums[row] : 1.0);
            }
            barrier();  // it was read, before the next overwrites it
        }
    if (mostSplits > 0u && gl_LocalInvocationIndex < ROWS && firstHead + gl_LocalInvocationIndex < headCount) {
        uint at = target + gl_LocalInvocationIndex * headPitch + LATENT;
        y[at] = maxima[gl_LocalInvocationIndex];
        y[at + 1] = sums[gl_LocalInvocationIndex];
    }
}
