#version 460
// result[0, r] = a token drawn from row r of the logits by the row's rule; result[1, r] = how many of them are Inf or NaN.
//
// logits: [rows, count] F32, as bits; rules: [rows, 6] U32: count, scale, top-k, top-p, least weight, random (DrawRule.swift
// defines them); result: [2, rows] U32. One workgroup a row; thread i takes logits i, i + THREADS, ...
//
// Each of the three stages, top-k, top-p and the draw, looks for a place in an order of tokens: the first at which the
// measures (1, or the weight) of all up to it add up to a target. It is found digit by digit, from sums by digit: a token's
// place is 32 bits of order, the likeliest first, and 20 of id. The draw goes by the id alone.

layout(constant_id = 0) const uint THREADS = 512u;  // a power of two; no result depends on it
const uint BINS = 2048, LAST = 0xFFFFFFFFu;
const uint TOP_K = 0, TOP_P = 1, DRAW = 2;

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) readonly buffer LogitsBuffer { uint logits[]; };
layout(set = 0, binding = 1, std430) readonly buffer RulesBuffer { uint rules[]; };
layout(set = 0, binding = 2, std430) writeonly buffer ResultBuffer { uint result[]; };
layout(push_constant) uniform Params { uint pitch; };

// Sums have 64 bits: the low word, the high word.
shared uint binLow[BINS], binHigh[BINS];
shared uint sumLow[THREADS], sumHigh[THREADS];
shared uint firstOrder, faults, foundBin;
shared uvec2 foundBefore, foundContent;

float best, scale;
uint leastWeight;
uint limitOrder = LAST, limitId = LAST;  // the last place that is still kept

uvec2 plus(uvec2 a, uvec2 b) {
    uint carry;
    uint low = uaddCarry(a.x, b.x, carry);
    return uvec2(low, a.y + b.y + carry);
}

uvec2 minus(uvec2 a, uvec2 b) {
    uint borrow;
    uint low = usubBorrow(a.x, b.x, borrow);
    return uvec2(low, a.y - b.y - borrow);
}

bool less(uvec2 a, uvec2 b) { return a.y < b.y || (a.y == b.y && a.x < b.x); }

uint high(uint a, uint b) {
    uint h, l;
    umulExtended(a, b, h, l);
    return h;
}

// floor(sum * share / 2^32); `rest` says whether that was rounded.
uvec2 part(uvec2 sum, uint share, out bool rest) {
    uint h, l;
    umulExtended(sum.x, share, h, l);
    rest = l != 0;
    uint h2, l2;
    umulExtended(sum.y, share, h2, l2);
    return plus(uvec2(l2, h2), uvec2(h, 0));
}

bool isFinite(uint bits) { return (bits & 0x7F800000u) != 0x7F800000u; }

// Ascending from the highest logit to the lowest; -0 and 0 are equal.
uint orderOf(uint bits) {
    if (bits == 0x80000000u) bits = 0;
    return bits >> 31 != 0 ? bits : bits ^ 0x7FFFFFFFu;
}

uint bitsOf(uint order) { return order >> 31 != 0 ? order : order ^ 0x7FFFFFFFu; }

uint weight(uint bits) {
    if (!isFinite(bits)) return 0;
    precise float distance = best - uintBitsToFloat(bits);
    precise float product = distance * scale;
    if (!(product < 2147483648.0)) return 0;
    uint exponent = uint(product);
    uint fraction = exponent << 6;
    uint q = 48550u;
    q = 639488u - high(fraction, q);
    q = 5712048u - high(fraction, q);
    q = 41304489u - high(fraction, q);
    q = 238387495u - high(fraction, q);
    q = 1031764939u - high(fraction, q);
    q = 2977044471u - high(fraction, q);
    return (0x80000000u - (high(fraction, q) >> 1)) >> (exponent >> 26);
}

uint measure(uint stage, uint bits) {
    uint w = weight(bits);
    if (stage == TOP_K) return min(w, 1u);  // what is never drawn need not be counted
    return stage == DRAW && w < leastWeight ? 0 : w;
}

// Digit `level` of a place.
uint digit(uint level, uint order, uint id) {
    return level == 0 ? order >> 21 : level == 1 ? order >> 10 & 2047u : level == 2 ? order & 1023u
           : level == 3 ? id >> 9 : id & 511u;
}

// Whether all digits before `level` are equal.
bool matches(uint level, bool byId, uint order, uint id, uint order2, uint id2) {
    if (level == 0) return true;
    if (level == 1) return order >> 21 == order2 >> 21;
    if (level == 2) return order >> 10 == order2 >> 10;
    return (byId || order == order2) && (level == 3 || id >> 9 == id2 >> 9);
}

uvec2 bin(uint b) { return uvec2(binLow[b], binHigh[b]); }

// The sum of this thread's bins and all before; afterwards the last one's, which is that of all, is in the sums.
uvec2 sumThrough(uvec2 own) {
    uint lane = gl_LocalInvocationIndex;
    uvec2 through = own;
    for (uint stride = 1; stride < THREADS; stride *= 2) {
        sumLow[lane] = through.x;
        sumHigh[lane] = through.y;
        barrier();  // all sums are complete
        if (lane >= stride) through = plus(through, uvec2(sumLow[lane - stride], sumHigh[lane - stride]));
        barrier();  // all were read
    }
    sumLow[lane] = through.x;
    sumHigh[lane] = through.y;
    barrier();  // the last one's is complete
    return through;
}

// The stage's target, from the sum of all measures: at least 1.
uvec2 targetOf(uint stage, uvec2 sum, uint row) {
    bool rest;
    if (stage == TOP_K) return uvec2(rules[row * 6 + 2], 0);
    if (stage == DRAW) return plus(part(sum, rules[row * 6 + 5], rest), uvec2(1, 0));
    uvec2 target = part(sum, rules[row * 6 + 3], rest);
    if (rest || target == uvec2(0)) target = plus(target, uvec2(1, 0));
    return target;
}

// Moves the limit to the stage's place.
void cut(uint stage, uint row, uint count) {
    uint lane = gl_LocalInvocationIndex, firstBin = lane * (BINS / THREADS);
    bool byId = stage == DRAW;
    uint order = 0, id = 0;
    uvec2 target = uvec2(0);
    for (uint level = byId ? 3 : 0; level < 5; level++) {
        for (uint b = lane; b < BINS; b += THREADS) binLow[b] = binHigh[b] = 0;
        barrier();  // the bins are empty
        for (uint i = lane; i < count; i += THREADS) {
            uint bits = logits[row * pitch + i];
            uint o = orderOf(bits);
            bool kept = o < limitOrder || (o == limitOrder && i <= limitId);
            if (!kept || !matches(level, byId, o, i, order, id)) continue;
            uint amount = measure(stage, bits);
            if (amount == 0) continue;
            uint d = digit(level, o, i);
            uint before = atomicAdd(binLow[d], amount);
            if (before + amount < before) atomicAdd(binHigh[d], 1);
        }
        barrier();  // the bins are full
        uvec2 own = uvec2(0);
        for (uint b = 0; b < BINS / THREADS; b++) own = plus(own, bin(firstBin + b));
        uvec2 through = sumThrough(own);
        if (level == (byId ? 3 : 0)) {
            uvec2 sum = uvec2(sumLow[THREADS - 1], sumHigh[THREADS - 1]);
            target = targetOf(stage, sum, row);
            if (less(sum, target)) return;  // all are kept
        }
        uvec2 before = minus(through, own);
        if (less(before, target) && !less(through, target)) {
            uint b = firstBin;
            while (less(plus(before, bin(b)), target)) before = plus(before, bin(b++));
            foundBin = b;
            foundBefore = before;
            foundContent = bin(b);
        }
        barrier();  // it is found
        target = minus(target, foundBefore);
        if (level == 0) order = foundBin << 21;
        else if (level == 1) order |= foundBin << 10;
        else if (level == 2) order |= foundBin;
        else if (level == 3) id = foundBin << 9;
        else id |= foundBin;
        // Where all of the bin is kept, its end is the place. Of equal logits, all but less than one are all.
        uint one = stage == TOP_P && level >= 2 ? weight(bitsOf(order)) : 1;
        if (!byId && level < 4 && less(minus(foundContent, target), uvec2(one, 0))) {
            if (level == 0) order |= 0x1FFFFFu;
            if (level == 1) order |= 0x3FFu;
            id = level == 3 ? id | 511u : LAST;
            break;
        }
    }
    // The end of a bin may lie beyond the last stage's limit.
    if (byId || order < limitOrder || (order == limitOrder && id < limitId)) {
        limitOrder = order;
        limitId = id;
    }
}

void main() {
    uint row = gl_WorkGroupID.x, lane = gl_LocalInvocationIndex, count = rules[row * 6];
    if (lane == 0) {
        firstOrder = LAST;
        faults = 0;
    }
    barrier();  // before others count
    uint least = LAST, bad = 0;
    for (uint i = lane; i < count; i += THREADS) {
        uint bits = logits[row * pitch + i];
        if (isFinite(bits)) least = min(least, orderOf(bits));
        else bad++;
    }
    atomicMin(firstOrder, least);
    if (bad > 0) atomicAdd(faults, bad);
    barrier();  // all have counted
    best = uintBitsToFloat(bitsOf(firstOrder));
    scale = uintBitsToFloat(rules[row * 6 + 1]);
    leastWeight = rules[row * 6 + 4];
    for (uint stage = faults == count ? DRAW + 1 : TOP_K; stage <= DRAW; stage++)
        if (stage == DRAW || rules[row * 6 + (stage == TOP_K ? 2 : 3)] != LAST) cut(stage, row, count);
    if (lane == 0) {
        result[row] = faults == count ? 0 : limitId;
        result[gl_NumWorkGroups.x + row] = faults;
    }
}
