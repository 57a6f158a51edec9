#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_shader_16bit_storage : require
// mla_expanded on matrix units: the same sums and operands (see there), FP16 inputs, FP32 scores, softmax and sums.
//
// A workgroup of eight subgroups takes one head and a tile of 8 M tokens of one sequence. Each subgroup takes M of the
// tokens and holds their queries and results. Keys and values go through shared memory, KEYS at a time, up to the keys of the
// tile's last token; the next ones are loaded while these are multiplied. A subgroup skips values that come after all its
// tokens. Each query row is divided by the next power of two above its largest element, so that it cannot overflow; keys
// and values beyond 65504 do, and the step fails.

layout(constant_id = 0) const uint M = 16u;
layout(constant_id = 1) const uint N = 16u;
layout(constant_id = 2) const uint K = 16u;
layout(constant_id = 3) const uint REQUIRED_SUBGROUP = 32u;  // lanes; eight subgroups make THREADS
layout(constant_id = 4) const uint THREADS = 256u;
layout(constant_id = 5) const uint NOPE = 128u;  // these three: multiples of 4
layout(constant_id = 6) const uint ROPE = 64u;
layout(constant_id = 7) const uint VALUE = 128u;

layout(local_size_x_id = 4) in;
layout(set = 0, binding = 0, std430) readonly buffer QBuffer { vec4 q[]; };
layout(set = 0, binding = 1, std430) readonly buffer KVBuffer { vec4 kv[]; };
layout(set = 0, binding = 2, std430) readonly buffer EntriesBuffer { vec4 entries[]; };
layout(set = 0, binding = 3, std430) readonly buffer TilesBuffer { uvec4 tiles[]; };
layout(set = 0, binding = 4, std430) writeonly buffer YBuffer { float y[]; };
layout(push_constant) uniform Params {
    uint firstHead; uint latentWidth; uint qPitch; uint kvPitch; uint entryPitch; uint yPitch; float scale;
};

const uint KEYS = 16u, SUBGROUPS = 8u, WIDTH = NOPE + ROPE, HELPERS = REQUIRED_SUBGROUP / M;  // lanes of a row
// Whole matrices, with zeros beyond WIDTH; rows a pitch apart fall on different banks.
const uint PADDED = (WIDTH + 15) / 16 * 16, COLUMNS = (VALUE + 15) / 16 * 16;
const uint KEY_PITCH = PADDED + 8, VALUE_PITCH = COLUMNS + 8, WEIGHT_PITCH = KEYS + 8, SCORE_PITCH = KEYS + 4;
const uint KEY_LOADS = (KEYS * PADDED / 4 + THREADS - 1) / THREADS;
const uint VALUE_LOADS = (KEYS * VALUE / 4 + THREADS - 1) / THREADS;
const float OUT = -3.4e38;

shared f16vec4 keyTile[KEYS * KEY_PITCH / 4];
shared f16vec4 valueTile[KEYS * VALUE_PITCH / 4];
shared float scores[SUBGROUPS][M * SCORE_PITCH];       // and, at the end, results
shared float16_t weights[SUBGROUPS][M * WEIGHT_PITCH];  // and, at first, queries
shared float factors[SUBGROUPS][M * N];                // each row's, N times
shared float inverses[SUBGROUPS][M];
shared float totals[SUBGROUPS][REQUIRED_SUBGROUP];

#define LEFT coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA>
#define RIGHT coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB>
#define SUMS coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>

uvec4 tile = tiles[gl_WorkGroupID.x];
uint head = gl_WorkGroupID.y, subgroup = gl_SubgroupID, lane = gl_SubgroupInvocationID, firstRow = subgroup * M;
uint end = tile.w + tile.y;  // keys that the last token sees

// The keys start ... start + KEYS - 1; clamped to `end` - 1; the weights beyond are 0.
void fetchKeys(uint start, out vec4 loads[KEY_LOADS]) {
    [[unroll]] for (uint n = 0; n < KEY_LOADS; n++) {
        uint e = n * THREADS + gl_LocalInvocationIndex, key = tile.z + min(start + e / (PADDED / 4), end - 1);
        uint i = e % (PADDED / 4) * 4;
        loads[n] = vec4(0);
        if (i < WIDTH)
            loads[n] = i < NOPE ? kv[(key * kvPitch + head * (NOPE + VALUE) + i) / 4]
                                : entries[(key * entryPitch + latentWidth + i - NOPE) / 4];
    }
}

void storeKeys(vec4 loads[KEY_LOADS]) {
    [[unroll]] for (uint n = 0; n < KEY_LOADS; n++) {
        uint e = n * THREADS + gl_LocalInvocationIndex;
        if (e < KEYS * PADDED / 4) keyTile[e / (PADDED / 4) * (KEY_PITCH / 4) + e % (PADDED / 4)] = f16vec4(loads[n]);
    }
}

void fetchValues(uint start, out vec4 loads[VALUE_LOADS]) {
    [[unroll]] for (uint n = 0; n < VALUE_LOADS; n++) {
        uint e = n * THREADS + gl_LocalInvocationIndex, key = tile.z + min(start + e / (VALUE / 4), end - 1);
        loads[n] = kv[(key * kvPitch + head * (NOPE + VALUE) + NOPE + e % (VALUE / 4) * 4) / 4];
    }
}

void storeValues(vec4 loads[VALUE_LOADS]) {
    [[unroll]] for (uint n = 0; n < VALUE_LOADS; n++) {
        uint e = n * THREADS + gl_LocalInvocationIndex;
        if (e < KEYS * VALUE / 4) valueTile[e / (VALUE / 4) * (VALUE_PITCH / 4) + e % (VALUE / 4)] = f16vec4(loads[n]);
    }
}

// Where a row's query begins. Clamped to the last token; duplicates are not written.
uint queryStart(uint row) {
    return (tile.x + min(firstRow + row, tile.y - 1)) * qPitch + (firstHead + head) * WIDTH;
}

// What the lane's row is divided by, the power of two next above its largest element; all rows' inverses in `inverses`.
float scaleQueries() {
    float own = 1;
    [[dont_unroll]] for (uint row = 0; row < M; row++) {
        float largest = 0;
        for (uint i = lane; i < WIDTH / 4; i += REQUIRED_SUBGROUP) {
            vec4 quad = abs(q[queryStart(row) / 4 + i]);
            largest = max(largest, max(max(quad.x, quad.y), max(quad.z, quad.w)));
        }
        largest = subgroupMax(largest);
        // As in half_rows.
        uint exponent = (floatBitsToUint(largest) + 0x7FFFFFu) >> 23;
        exponent = largest == 0 ? 127u : clamp(exponent, 2u, 252u);
        if (lane == 0) inverses[subgroup][row] = uintBitsToFloat((254u - exponent) << 23);
        if (lane % M == row) own = uintBitsToFloat(exponent << 23);
    }
    subgroupBarrier();  // the inverses are complete
    return own;
}

// Elements slice * K ... of this subgroup's rows.
void storeQueries(uint slice) {
    for (uint e = lane; e < M * K / 4; e += REQUIRED_SUBGROUP) {
        uint row = e / (K / 4), part = e % (K / 4) * 4, i = slice * K + part;
        vec4 quad = i < WIDTH ? q[(queryStart(row) + i) / 4] * inverses[subgroup][row] : vec4(0);
        [[unroll]] for (uint c = 0; c < 4; c++) weights[subgroup][row * WEIGHT_PITCH + part + c] = float16_t(quad[c]);
    }
}

// The weights exp(s - max s), and the factors for the rows' sums so far. A lane has every HELPERS-th key
// of its row, and totals of those.
void weigh(uint start, float scaling, inout float largest, inout float total) {
    uint row = lane % M, helper = lane / M, position = tile.w + firstRow + row;
    float m = largest;
    [[unroll]] for (uint j = 0; j < KEYS; j++)
        if (start + j <= position) m = max(m, scores[subgroup][row * SCORE_PITCH + j] * scaling);
    float rescale = exp(largest - m);
    largest = m;
    total *= rescale;
    [[unroll]] for (uint n = 0; n < KEYS / HELPERS; n++) {
        uint j = n * HELPERS + helper;
        // The sum is over the rounded weights, as the values' sums are, so that a common error cancels.
        float16_t weight = float16_t(
            start + j <= position ? exp(scores[subgroup][row * SCORE_PITCH + j] * scaling - m) : 0.0);
        total += float(weight);
        weights[subgroup][row * WEIGHT_PITCH + j] = weight;
    }
    for (uint c = helper; c < N; c += HELPERS) factors[subgroup][row * N + c] = rescale;
}

void main() {
    float scaling = scaleQueries() * scale;
    LEFT queries[PADDED / K];
    [[unroll]] for (uint slice = 0; slice < PADDED / K; slice++) {
        storeQueries(slice);
        subgroupBarrier();  // the slice is complete
        coopMatLoad(queries[slice], weights[subgroup], 0, WEIGHT_PITCH, gl_CooperativeMatrixLayoutRowMajor);
        subgroupBarrier();  // it was read, before the next or weights overwrite it
    }
    SUMS values[COLUMNS / N];
    [[unroll]] for (uint c = 0; c < COLUMNS / N; c++) values[c] = SUMS(0.0);
    float largest = OUT, total = 0;  // of the lane's row
    uint ownEnd = firstRow < tile.y ? tile.w + min(firstRow + M, tile.y) : 0;
    vec4 keyLoads[KEY_LOADS], valueLoads[VALUE_LOADS];
    fetchKeys(0, keyLoads);
    storeKeys(keyLoads);
    for (uint start = 0; start < end; start += KEYS) {
        fetchValues(start, valueLoads);
        barrier();  // the keys are complete; the values before them were read
        // All subgroups: those whose tokens see none of the keys would wait for the others anyway, and where a driver
        // makes the workgroup's barrier of a subgroup's, it must not be passed by some alone.
        [[unroll]] for (uint j = 0; j < KEYS; j += N) {
            SUMS piece = SUMS(0.0);
            [[unroll]] for (uint slice = 0; slice < PADDED / K; slice++) {
                RIGHT keys;
                coopMatLoad(
                    keys, keyTile, (j * KEY_PITCH + slice * K) / 4, KEY_PITCH / 4,
                    gl_CooperativeMatrixLayoutColumnMajor);
                piece = coopMatMulAdd(queries[slice], keys, piece);
            }
            coopMatStore(piece, scores[subgroup], j, SCORE_PITCH, gl_CooperativeMatrixLayoutRowMajor);
        }
        subgroupBarrier();  // the scores are complete
        weigh(start, scaling, largest, total);
        storeValues(valueLoads);
        barrier();  // values, weights and factors are complete; the keys were read
        if (start + KEYS < end) fetchKeys(start + KEYS, keyLoads);
        if (start < ownEnd) {
            SUMS factor;
            coopMatLoad(factor, factors[subgroup], 0, N, gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint c = 0; c < COLUMNS / N; c++) values[c] = values[c] * factor;
            [[unroll]] for (uint k = 0; k < KEYS; k += K) {
                LEFT left;
                coopMatLoad(left, weights[subgroup], k, WEIGHT_PITCH, gl_CooperativeMatrixLayoutRowMajor);
                [[unroll]] for (uint c = 0; c < COLUMNS / N; c++) {
                    RIGHT right;
                    coopMatLoad(
                        right, valueTile, (k * VALUE_PITCH + c * N) / 4, VALUE_PITCH / 4,
                        gl_CooperativeMatrixLayoutRowMajor);
                    values[c] = coopMatMulAdd(left, right, values[c]);
                }
            }
        }
        storeKeys(keyLoads);
    }

    totals[subgroup][lane] = total;
    [[unroll]] for (uint c = 0; c < COLUMNS / N; c++) {
        subgroupBarrier();  // the piece before was read
        coopMatStore(values[c], scores[subgroup], 0, N, gl_CooperativeMatrixLayoutRowMajor);
        subgroupBarrier();  // piece and totals are complete; lanes handle edges and divisors
        for (uint e = lane; e < M * N; e += REQUIRED_SUBGROUP) {
            uint row = e / N, column = c * N + e % N;
            float sum = totals[subgroup][row];
            [[unroll]] for (uint h = 1; h < HELPERS; h++) sum += totals[subgroup][h * M + row];
            if (firstRow + row < tile.y && column < VALUE)
                y[(tile.x + firstRow + row) * yPitch + (firstHead + head) * VALUE + column] =
                    scores[subgroup][e] / sum;
        }
    }
}
