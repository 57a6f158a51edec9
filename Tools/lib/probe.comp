#version 460
// A shader compiler that accepts this file is new enough for every kernel's best form.
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_bfloat16 : require
#extension GL_EXT_float_e4m3 : require
#extension GL_EXT_integer_dot_product : require
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_shader_16bit_storage : require

layout(local_size_x = 32) in;
layout(set = 0, binding = 0) readonly buffer Input { bfloat16_t x[]; };
layout(set = 0, binding = 1) writeonly buffer Output { float y[]; };

void main() {
    coopmat<bfloat16_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseA> a;
    coopmat<bfloat16_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseB> b;
    coopMatLoad(a, x, 0u, 16u, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(b, x, 0u, 16u, gl_CooperativeMatrixLayoutRowMajor);
    coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> c =
        coopMatMulAdd(a, b, coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator>(0.0));
    coopMatStore(c, y, 0u, 16u, gl_CooperativeMatrixLayoutRowMajor);
    floate4m3_t code = floate4m3_t(float(x[0]));
    y[256] = float(code) + float(dotEXT(i8vec4(1), i8vec4(2)));
}
