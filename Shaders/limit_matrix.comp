#version 460
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_shader_16bit_storage : require
// C <- A · B + C on matrix units, `rounds` times for four accumulators a subgroup: FP16 inputs, FP32 sums.
//
// A[i, j] = a, B[i, j] = b, so that every element of C ends as rounds · K · a · b. y: [groups, M · N], the sum of a
// subgroup's four accumulators. M, N and K are one of the shapes that the device lists. A workgroup is one subgroup.

layout(constant_id = 0) const uint M = 16;
layout(constant_id = 1) const uint N = 16;
layout(constant_id = 2) const uint K = 16;
layout(constant_id = 3) const uint REQUIRED_SUBGROUP = 32;
layout(local_size_x_id = 3) in;
layout(set = 0, binding = 0, std430) writeonly buffer YBuffer { float y[]; };
layout(push_constant) uniform Params { uint rounds; float a; float b; };

void main() {
    coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA> left =
        coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA>(float16_t(a));
    coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB> right =
        coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB>(float16_t(b));
    coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator> c0 =
        coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>(0.0);
    coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator> c1 = c0, c2 = c0, c3 = c0;
    for (uint i = 0; i < rounds; i++) {
        c0 = coopMatMulAdd(left, right, c0);
        c1 = coopMatMulAdd(left, right, c1);
        c2 = coopMatMulAdd(left, right, c2);
        c3 = coopMatMulAdd(left, right, c3);
    }
    coopMatStore((c0 + c1) + (c2 + c3), y, gl_WorkGroupID.x * M * N, N, gl_CooperativeMatrixLayoutRowMajor);
}
