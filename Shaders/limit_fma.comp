#version 460
// v <- v · a + b in FP32, `rounds` times for sixteen values a thread: how fast the device multiplies and adds.
//
// y: [threads], the sum of a thread's sixteen values, which begin at the thread's index mod 7 plus 0 to 15. Sixteen chains
// that do not wait for each other cover a multiplier's latency; a and b come from outside, so that nothing folds.

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) writeonly buffer YBuffer { float y[]; };
layout(push_constant) uniform Params { uint rounds; float a; float b; };

void main() {
    float start = float(gl_GlobalInvocationID.x % 7);
    vec4 p = vec4(0, 1, 2, 3) + start, q = p + 4, r = p + 8, s = p + 12;
    for (uint i = 0; i < rounds; i++) {
        p = fma(p, vec4(a), vec4(b));
        q = fma(q, vec4(a), vec4(b));
        r = fma(r, vec4(a), vec4(b));
        s = fma(s, vec4(a), vec4(b));
    }
    vec4 t = (p + q) + (r + s);
    y[gl_GlobalInvocationID.x] = (t.x + t.y) + (t.z + t.w);
}
