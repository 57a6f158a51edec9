#version 460
// result[0, r] = the index of row r's largest logit (the lowest of equals), result[1, r] = how many of them are Inf or NaN.
//
// logits: [rows, count] F32; result: [2, rows] U32. One workgroup a row; thread i takes elements i, i + 256, ...

layout(local_size_x = 256) in;
layout(set = 0, binding = 0, std430) readonly buffer LogitsBuffer { float logits[]; };
layout(set = 0, binding = 1, std430) writeonly buffer ResultBuffer { uint result[]; };
layout(push_constant) uniform Params { uint count; uint pitch; };

shared float bestValue[256];
shared uint bestIndex[256];
shared uint bad[256];

void main() {
    uint row = gl_WorkGroupID.x, lane = gl_LocalInvocationIndex;
    float value = -3.4e38;
    uint index = min(lane, count - 1), faults = 0;
    for (uint i = lane; i < count; i += 256) {
        float logit = logits[row * pitch + i];
        // By the bits: a compiler may assume that no value is NaN.
        if ((floatBitsToUint(logit) & 0x7F800000u) == 0x7F800000u) faults++;
        else if (logit > value) { value = logit; index = i; }
    }
    bestValue[lane] = value;
    bestIndex[lane] = index;
    bad[lane] = faults;
    for (uint stride = 128; stride > 0; stride /= 2) {
        barrier();  // the other half's best
        if (lane < stride) {
            float other = bestValue[lane + stride];
            if (other > bestValue[lane] || (other == bestValue[lane] && bestIndex[lane + stride] < bestIndex[lane])) {
                bestValue[lane] = other;
                bestIndex[lane] = bestIndex[lane + stride];
            }
            bad[lane] += bad[lane + stride];
        }
    }
    if (lane == 0) {
        result[row] = bestIndex[0];
        result[gl_NumWorkGroups.x + row] = bad[0];
    }
}
