#version 460
// y[t, i] += sum over slots of routing[t, slot] * x[t * topK + slot, i], in the slots' order.
//
// x: [tokens * topK, width] F32, the experts' outputs; routing: [tokens, topK] F32; y: [tokens, width] F32. A workgroup
// takes 256 elements of one token, thread i elements i, i + 64, ...

layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer XBuffer { float x[]; };
layout(set = 0, binding = 1, std430) readonly buffer RoutingBuffer { float routing[]; };
layout(set = 0, binding = 2, std430) buffer YBuffer { float y[]; };
layout(push_constant) uniform Params { uint width; uint topK; uint xPitch; uint routingPitch; uint yPitch; };

void main() {
    uint token = gl_WorkGroupID.y;
    uint end = min(gl_WorkGroupID.x * 256 + 256, width);
    for (uint i = gl_WorkGroupID.x * 256 + gl_LocalInvocationIndex; i < end; i += 64) {
        float sum = 0;
        for (uint slot = 0; slot < topK; slot++)
            sum += routing[token * routingPitch + slot] * x[(token * topK + slot) * xPitch + i];
        y[token * yPitch + i] += sum;
    }
}
