#version 460
#extension GL_GOOGLE_include_directive : require
// x[t] += delta[t] (with ADD_DELTA), then y[t, yColumn + i] = x[t, i] / sqrt(mean(x[t]^2) + epsilon)
// * weight[i].
//
// x, delta: [rows, width], y: [rows, at least yColumn + width], F32; weight: [width] F32. One workgroup a row; thread i takes elements i, i + 128, ...

layout(constant_id = 0) const bool ADD_DELTA = false;
#define WORKGROUP 128
#include "common_reduce.glsl"

layout(local_size_x = WORKGROUP) in;
layout(set = 0, binding = 0, std430) buffer XBuffer { float x[]; };
layout(set = 0, binding = 1, std430) readonly buffer DeltaBuffer { float delta[]; };
layout(set = 0, binding = 2, std430) readonly buffer WeightBuffer { float weight[]; };
layout(set = 0, binding = 3, std430) writeonly buffer YBuffer { float y[]; };
layout(push_constant) uniform Params { uint width; uint xPitch; uint deltaPitch; uint yPitch; uint yColumn; float epsilon; };

void main() {
    uint row = gl_WorkGroupID.x;
    float sum = 0;
    for (uint i = gl_LocalInvocationIndex; i < width; i += WORKGROUP) {
        float value = x[row * xPitch + i];
        if (ADD_DELTA) {
            value += delta[row * deltaPitch + i];
            x[row * xPitch + i] = value;
        }
        sum += value * value;
    }
    float inverse = inversesqrt(workgroupSum(sum) / float(width) + epsilon);
    // Each thread reads back only what it wrote itself.
    for (uint i = gl_LocalInvocationIndex; i < width; i += WORKGROUP)
        y[row * yPitch + yColumn + i] = x[row * xPitch + i] * inverse * weight[i];
}
