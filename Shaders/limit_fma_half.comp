#version 460
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
// limit_fma in FP16: v <- v · a + b, `rounds` times for thirty-two values a thread, packed by two.
//
// y: [threads], F32: the sum of a thread's values, which begin at the thread's index mod 7 plus 0 to 15, twice.

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) writeonly buffer YBuffer { float y[]; };
layout(push_constant) uniform Params { uint rounds; float a; float b; };

void main() {
    float16_t start = float16_t(gl_GlobalInvocationID.x % 7);
    f16vec2 v[16];
    for (int i = 0; i < 16; i++) v[i] = f16vec2(start + float16_t(i));
    f16vec2 factor = f16vec2(float16_t(a)), term = f16vec2(float16_t(b));
    for (uint round = 0; round < rounds; round++) {
        for (int i = 0; i < 16; i++) v[i] = fma(v[i], factor, term);
    }
    float sum = 0;
    for (int i = 0; i < 16; i++) sum += float(v[i].x) + float(v[i].y);
    y[gl_GlobalInvocationID.x] = sum;
}
