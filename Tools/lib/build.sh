# shellcheck shell=bash
# Builds with SwiftPM if an input changed. Needs common.sh.

# All inputs of the program and its tests.
build_inputs=(Package.swift Sources Shaders Tests Tools/{ShaderCompiler,ShaderPlugin,BuildInfoPlugin})

# True if no input is newer than the last successful build. The modification times of folders reveal removed files.
is_built() {
    local scratch=$1 input inputs=()
    [[ -x $scratch/release/fathom && -e $scratch/built ]] || return 1
    # SwiftPM rewrites this file in every build, so its content is compared.
    cmp -s "$root/Package.resolved" "$scratch/resolved" || return 1
    for input in "${build_inputs[@]}"; do
        [[ ! -e $root/$input ]] || inputs+=("$root/$input")
    done
    [[ -z $(find -L "${inputs[@]}" "$(command -v swift)" -newer "$scratch/built" -print -quit) ]]
}

# Copies the build's output to a log and prints a line of progress every ten seconds.
report_progress() {
    local log=$1 line next=$((SECONDS + 2))
    : >"$log"
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$log"
        ((SECONDS >= next)) || continue
        next=$((SECONDS + 10))
        say "building: ${line:0:100}"
    done
}

# Builds in release mode, unless up to date: build SCRATCH_FOLDER SWIFT_BUILD_OPTION...
build() {
    local scratch=$1
    shift
    ! is_built "$scratch" || return 0
    mkdir -p "$scratch"
    touch "$scratch/started"
    swift build --package-path "$root" --scratch-path "$scratch" -c release "$@" </dev/null 2>&1 |
        report_progress "$scratch/build.log" || {
        cat "$scratch/build.log" >&2
        die 1 "The build failed."
    }
    cp "$root/Package.resolved" "$scratch/resolved"
    mv "$scratch/started" "$scratch/built"
}

# Sets $fathom to the program: the environment's FATHOM, else the current build, which it updates.
locate_fathom() {
    fathom=${FATHOM-}
    [[ -z $fathom ]] || return 0
    # Linked statically with Swift's libraries, the program can be copied to machines without Swift.
    build "$root/.build" --product fathom --static-swift-stdlib
    fathom=$root/.build/release/fathom
}
