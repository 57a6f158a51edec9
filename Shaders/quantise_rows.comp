#version 460
// y[t, k] = e4m3(x[t, k] / s) * s, s = max |x[t, b]| / 448 over the block b of 128 columns that k is in (1e-4 / 448 at least),
// or the power of two next above: activations as an FP8 product takes them, in FP32; with WRITES_CODES as codes and s too.
//
// x, y: [tokens, columns] F32; codes: [tokens, columns up to a multiple of 16] E4M3, zeros beyond; scales: [tokens, blocks] F32.
// A workgroup of 128 has four blocks of a row, 32 threads each; a thread takes four elements.
// Nothing is divided: no two devices would divide alike. A size becomes the larger of its two neighbours in E4M3 if it is
// above their middle times s, or at it and the larger one is even.

layout(constant_id = 0) const bool POWER_OF_TWO = false;
layout(constant_id = 1) const bool WRITES_CODES = false;

layout(local_size_x = 128) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { vec4 x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer YBuffer { float y[]; };
layout(set = 0, binding = 2, std430) writeonly buffer CodesBuffer { uint codes[]; };
layout(set = 0, binding = 3, std430) writeonly buffer ScalesBuffer { float scales[]; };
layout(push_constant) uniform Params { uint columns; uint xPitch; uint yPitch; uint codePitch; };

shared float largest[128];

float rounded(float value, float s, float inverse, out uint code) {
    uint bits = floatBitsToUint(value);
    code = 0x7Fu;  // NaN
    if ((bits & 0x7FFFFFFFu) >= 0x7F800000u) return value;  // an infinity or a NaN stays what it is
    float size = abs(value);
    // Which two neighbours: an error of the quotient matters only where it is one of them, and then they give the same.
    float quotient = min(size * inverse, 448.0);
    uint exponent = max(floatBitsToUint(quotient) >> 23, 121u);  // below 2^-6 the neighbours are as far apart as there
    float apart = uintBitsToFloat((exponent - 3u) << 23);
    float lower = floor(quotient * uintBitsToFloat((257u - exponent) << 23));
    precise float middle = (lower + 0.5) * apart * s;  // exact but for the last product
    bool isOdd = (uint(lower) & 1u) == 1u;
    if (size > middle || size == middle && isOdd) lower += 1;
    // Multiples of 2^-9 up to 16 are codes; each power of two above has eight more. A carry runs on into the exponent.
    code = (exponent - 121u << 3) + uint(lower) | bits >> 24 & 0x80u;
    precise float result = lower * apart * s;
    return uintBitsToFloat(floatBitsToUint(result) | bits & 0x80000000u);
}

void main() {
    uint i = gl_LocalInvocationIndex, row = gl_WorkGroupID.y, k = (gl_WorkGroupID.x * 128 + i) * 4;
    vec4 values = vec4(0);
    // Padding may hold NaN, so it is replaced by 0.
    if (k < columns)
        values = mix(vec4(0), x[(row * xPitch + k) / 4], lessThan(uvec4(k) + uvec4(0, 1, 2, 3), uvec4(columns)));
    vec4 sizes = abs(values);
    largest[i] = max(max(sizes.x, sizes.y), max(sizes.z, sizes.w));
    for (uint stride = 16; stride > 0; stride /= 2) {
        barrier();  // the other half's are complete
        if (i % 32 < stride) largest[i] = max(largest[i], largest[i + stride]);
    }
    barrier();  // each block's is with its first thread
    float most = max(largest[i / 32 * 32], 1e-4);
    precise float s = most * (1.0 / 448.0);
    float inverse = 1.0 / s;
    if (POWER_OF_TWO) {
        // 448 is 1.75 * 2^8.
        uint bits = floatBitsToUint(most), exponent = (bits >> 23) - 8 + ((bits & 0x7FFFFFu) > 0x600000u ? 1 : 0);
        s = uintBitsToFloat(exponent << 23);
        inverse = uintBitsToFloat((254 - exponent) << 23);
    }
    uint word = 0;
    for (uint n = 0; n < 4; n++) {
        uint code;
        float value = rounded(values[n], s, inverse, code);
        if (k + n < columns) y[row * yPitch + k + n] = value;
        word |= code << 8 * n;
    }
    if (WRITES_CODES && k < codePitch) codes[(row * codePitch + k) / 4] = word;
    if (WRITES_CODES && i % 32 == 0 && k < columns) scales[row * ((columns + 127) / 128) + k / 128] = s;
}
