// Places the built-in model's files in the program, and a table of them: minnow_table[0 ..< minnow_count].
// The build embeds again when a file below changes: it sees those that the preprocessor has looked for, not .incbin's.
#if !__has_include("config.json") || !__has_include("generation_config.json") \
    || !__has_include("model.safetensors.index.json") || !__has_include("model-00001-of-00002.safetensors") \
    || !__has_include("model-00002-of-00002.safetensors") || !__has_include("tokenizer.json") \
    || !__has_include("tokenizer_config.json")
#error "Sources/Minnow/checkpoint: a file of the built-in model is missing"
#endif

    .macro embed label, file
    .balign 64
\label\()_start:
    .incbin "\file"
\label\()_end:
\label\()_name:
    .asciz "\file"
    .endm

    .macro entry label
    .8byte \label\()_name, \label\()_start, \label\()_end
    .endm

    .section .rodata, "a"
    embed config, "config.json"
    embed generation, "generation_config.json"
    embed index, "model.safetensors.index.json"
    embed shard1, "model-00001-of-00002.safetensors"
    embed shard2, "model-00002-of-00002.safetensors"
    embed tokenizer, "tokenizer.json"
    embed tokenizer_config, "tokenizer_config.json"

    .section .data.rel.ro, "aw"
    .balign 8
files:
    entry config
    entry generation
    entry index
    entry shard1
    entry shard2
    entry tokenizer
    entry tokenizer_config
files_end:

    .global minnow_table
minnow_table:
    .8byte files
    .global minnow_count
minnow_count:
    .8byte (files_end - files) / 24

    .section .note.GNU-stack, "", @progbits
