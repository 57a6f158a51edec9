#version 460
// h[t, i] = silu(gate[t, i]) * up[t, i], silu(v) = v / (1 + exp(-v)).
//
// gate, up, h: [tokens, width] F32. A workgroup takes 256 elements of one token, thread i elements i, i + 64, ...

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer GateBuffer { float gate[]; };
layout(set = 0, binding = 1, std430) readonly buffer UpBuffer { float up[]; };
layout(set = 0, binding = 2, std430) writeonly buffer HBuffer { float h[]; };
layout(push_constant) uniform Params { uint width; uint gatePitch; uint upPitch; uint hPitch; };

void main() {
    uint token = gl_WorkGroupID.y;
    uint end = min(gl_WorkGroupID.x * 256 + 256, width);
    for (uint i = gl_WorkGroupID.x * 256 + gl_LocalInvocationIndex; i < end; i += 64) {
        float g = gate[token * gatePitch + i];
        h[token * hPitch + i] = g / (1 + exp(-g)) * up[token * upPitch + i];
    }
}
