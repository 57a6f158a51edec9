// The built-in model's files, as minnow.S places them in the program.
#pragma once

typedef struct {
    const char *name;
    const unsigned char *start;
    const unsigned char *end;
} minnow_file;

extern const minnow_file *const minnow_table;
extern const long minnow_count;
