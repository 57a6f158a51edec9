import CPCRE2

/// A compiled regular expression. Immutable once made, so any number of threads may match it at once.
final class CompiledPattern: @unchecked Sendable {
    /// The pattern as written in the tokenizer's file.
    let source: String
    private let code: OpaquePointer

    /// Compiles a pattern in the tokenizer format's dialect (see `PatternDialect`).
    convenience init(expression: String) throws(TextError) {
        try self.init(
            source: expression, translated: try PatternDialect.translate(expression),
            options: UInt32(PCRE2_UTF) | UInt32(PCRE2_UCP) | UInt32(PCRE2_MULTILINE))
    }

    /// A pattern that matches `literal` itself.
    convenience init(literal: String) throws(TextError) {
        try self.init(source: literal, translated: literal, options: UInt32(PCRE2_UTF) | UInt32(PCRE2_LITERAL))
    }

    private init(source: String, translated: String, options: UInt32) throws(TextError) {
        let context = pcre2_compile_context_create_8(nil)
        defer { pcre2_compile_context_free_8(context) }
        pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_LF))
        var errorCode: Int32 = 0
        var errorOffset = 0
        let bytes = Array(translated.utf8)
        guard let code = pcre2_compile_8(bytes, bytes.count, options, &errorCode, &errorOffset, context) else {
            throw .pattern(source, reason: "\(Self.message(errorCode)) at byte \(errorOffset)")
        }
        // If the JIT is unavailable (hardened systems, some processors), PCRE2 interprets the pattern.
        pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE))
        self.source = source
        self.code = code
    }

    deinit { pcre2_code_free_8(code) }

    /// The byte range of the first match in `subject` (valid UTF-8) that starts at byte `start` or later.
    /// Throws if matching exceeds a limit of `MatchScratch`.
    func firstMatch(
        in subject: UnsafeBufferPointer<UInt8>, from start: Int, _ scratch: inout MatchScratch
    ) throws(TextError) -> Range<Int>? {
        var status = match(subject, start, options: 0, scratch)
        if status == PCRE2_ERROR_JIT_STACKLIMIT, scratch.growStack() {
            status = match(subject, start, options: 0, scratch)
        }
        // The larger JIT stack overflowed too. The interpreter keeps its frames on the heap, up to the heap limit.
        if status == PCRE2_ERROR_JIT_STACKLIMIT {
            status = match(subject, start, options: UInt32(PCRE2_NO_JIT), scratch)
        }
        if status == PCRE2_ERROR_NOMATCH { return nil }
        guard status >= 0 else { throw .matching(pattern: source, reason: Self.message(status)) }
        let offsets = pcre2_get_ovector_pointer_8(scratch.data)!
        return offsets[0]..<max(offsets[0], offsets[1])
    }

    private func match(
        _ subject: UnsafeBufferPointer<UInt8>, _ start: Int, options: UInt32, _ scratch: borrowing MatchScratch
    ) -> Int32 {
        pcre2_match_8(
            code, subject.baseAddress, subject.count, start, options | UInt32(PCRE2_NO_UTF_CHECK), scratch.data,
            scratch.context)
    }

    private static func message(_ code: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let length = pcre2_get_error_message_8(code, &buffer, buffer.count)
        return String(decoding: buffer.prefix(Int(max(0, length))), as: UTF8.self)
    }
}

/// Mutable state of matching, used by one thread at a time: match data, limits and the JIT's stack.
struct MatchScratch: ~Copyable {
    /// The maximum of backtracking steps per search: about a second, far more than published patterns need.
    static let stepLimit: UInt32 = 10_000_000
    static let heapLimitKiB: UInt32 = 256 << 10
    private static let stackByteCount = 256 << 10...16 << 20

    let data: OpaquePointer
    let context: OpaquePointer
    /// A larger JIT stack, allocated at first need: groups repeated thousands of times overflow PCRE2's default of 32
    /// KiB.
    private var stack: OpaquePointer?

    init() {
        data = pcre2_match_data_create_8(1, nil)
        context = pcre2_match_context_create_8(nil)
        pcre2_set_match_limit_8(context, Self.stepLimit)
        pcre2_set_heap_limit_8(context, Self.heapLimitKiB)
    }

    /// Gives the JIT a larger stack. Returns false if it already has one or there is no memory.
    mutating func growStack() -> Bool {
        guard stack == nil else { return false }
        stack = pcre2_jit_stack_create_8(Self.stackByteCount.lowerBound, Self.stackByteCount.upperBound, nil)
        guard let stack else { return false }
        pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
        return true
    }

    deinit {
        pcre2_match_data_free_8(data)
        pcre2_match_context_free_8(context)
        if let stack { pcre2_jit_stack_free_8(stack) }
    }
}
