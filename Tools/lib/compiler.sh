# shellcheck shell=bash
# Installs a shader compiler and a matching validator as .toolchain/bin/{glslang,spirv-val,spirv-dis}: the system's if they are
# new enough, else pinned Debian packages in a private folder. Needs common.sh and debian.sh.

# glslang 16 is the first Debian package with cooperative matrices, bfloat16 and FP8; forky is the first suite with it.
compiler_suite=forky
compiler_pins=$root/Tools/lib/compiler.sha256
compiler_probe=$root/Tools/lib/probe.comp

# True if the compiler accepts the newest GLSL features that the kernels use, and the validator accepts its output.
compiler_passes() {
    local glslang=$1 validator=$2 spirv=$toolchain/probe.spv passed=1
    "$glslang" --quiet --target-env vulkan1.3 -o "$spirv" "$compiler_probe" >/dev/null 2>&1 &&
        "$validator" --target-env vulkan1.3 "$spirv" >/dev/null 2>&1 && passed=0
    rm -f "$spirv"
    return $passed
}

# Writes .toolchain/bin/NAME, which starts the program NAME of the private folder with that folder's libc. It finds the folder
# relative to itself, so that the repository can be moved: write_wrapper NAME FOLDER
write_wrapper() {
    local name=$1 folder=$2 loader
    loader=$(cd "$folder" && compgen -G 'usr/lib/*/ld-linux*.so.*' | head -n 1)
    cat >"$toolchain/bin/$name" <<EOF
#!/bin/sh
here=\$(dirname "\$(readlink -f "\$0")")/../${folder##*/}
exec "\$here/$loader" --library-path "\$here/${loader%/*}" "\$here/usr/bin/$name" "\$@"
EOF
    chmod +x "$toolchain/bin/$name"
}

# Unpacks glslang, spirv-tools and their libc from Debian into .toolchain/compiler-packages.
install_private_compiler() {
    local folder=$toolchain/compiler-packages name
    say "setup: unpacking a shader compiler with cooperative matrices and FP8 into .toolchain (10 MB from Debian $compiler_suite)"
    use_suites "$compiler_suite"
    unpack_pinned "$folder" "$compiler_pins" "$compiler_suite" glslang-tools spirv-tools
    mkdir -p "$toolchain/bin"
    for name in glslang spirv-val spirv-dis; do
        rm -f "$toolchain/bin/$name"
        write_wrapper "$name" "$folder"
    done
    rm -rf "${folder:?}/usr/share"
    compiler_passes "$toolchain/bin/glslang" "$toolchain/bin/spirv-val" ||
        die "$exit_download" "setup: the shader compiler from Debian $compiler_suite does not accept Tools/lib/probe.comp." \
            "Set GLSLANG to a glslang that accepts it, put its spirv-val and spirv-dis on PATH, and run setup again."
}

# Chooses a compiler: the one named by the environment, the system's, or the private one.
install_compiler() {
    local name path validator disassembler
    validator=$(command -v "${SPIRV_VAL:-spirv-val}" || true) disassembler=$(command -v spirv-dis || true)
    for name in ${GLSLANG:+"$GLSLANG"} glslang glslangValidator; do
        path=$(command -v "$name" || true)
        [[ -n $path && -n $validator && -n $disassembler && $path != "$toolchain"/* ]] || continue
        compiler_passes "$path" "$validator" || continue
        say "setup: shader compiler: $path"
        ln -sf "$path" "$toolchain/bin/glslang"
        ln -sf "$validator" "$toolchain/bin/spirv-val"
        ln -sf "$disassembler" "$toolchain/bin/spirv-dis"
        touch "$toolchain/compiler-ready"
        return
    done
    can_use_debian || die "$exit_by_hand" "setup: needs glslang 16 or newer, with matching spirv-val and spirv-dis." \
        "Install them (or set GLSLANG and SPIRV_VAL), then run setup again."
    install_private_compiler
    touch "$toolchain/compiler-ready"
}

# True if the compiler exists and was chosen with the current hashes and probe.
compiler_ready() {
    [[ -x $toolchain/bin/glslang && -x $toolchain/bin/spirv-val && -x $toolchain/bin/spirv-dis &&
        $toolchain/compiler-ready -nt $compiler_pins && $toolchain/compiler-ready -nt $compiler_probe ]]
}
