#version 460
#extension GL_GOOGLE_include_directive : require
// y[t, k] = x[t, k] / scale[t] in FP16, scale[t] = the power of two next above max |x[t]| (1 for a row of zeros): nothing
// overflows, and the division is exact.
//
// x: [tokens, columns] F32; y: [tokens, columns up to a multiple of 8] F16, zeros beyond; scale: [tokens] F32. One workgroup a
// row; a thread takes pairs.

#define WORKGROUP 128
#include "common_reduce.glsl"

layout(local_size_x = WORKGROUP) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { float x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer YBuffer { uint y[]; };
layout(set = 0, binding = 2, std430) writeonly buffer ScalesBuffer { float scales[]; };
layout(push_constant) uniform Params { uint columns; uint xPitch; uint yPitch; };

void main() {
    uint row = gl_WorkGroupID.x;
    float largest = 0;
    for (uint k = gl_LocalInvocationIndex; k < columns; k += WORKGROUP) largest = max(largest, abs(x[row * xPitch + k]));
    largest = workgroupMax(largest);
    // The exponent, one up where the fraction is not zero; 1/scale must be a normal number too.
    uint exponent = (floatBitsToUint(largest) + 0x7FFFFFu) >> 23;
    exponent = largest == 0 ? 127u : clamp(exponent, 2u, 252u);
    float inverse = uintBitsToFloat((254u - exponent) << 23);
    for (uint k = gl_LocalInvocationIndex * 2; k < yPitch; k += WORKGROUP * 2) {
        vec2 pair = vec2(0);
        if (k < columns) pair.x = x[row * xPitch + k] * inverse;
        if (k + 1 < columns) pair.y = x[row * xPitch + k + 1] * inverse;
        y[(row * yPitch + k) / 2] = packHalf2x16(pair);
    }
    if (gl_LocalInvocationIndex == 0) scales[row] = uintBitsToFloat(exponent << 23);
}
