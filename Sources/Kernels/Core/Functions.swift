#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The FP32 functions of the references, under full names.
func sine(_ x: Float) -> Float { sinf(x) }
func cosine(_ x: Float) -> Float { cosf(x) }
func exponential(_ x: Float) -> Float { expf(x) }
