.section .rodata
