# shellcheck shell=bash disable=SC2034  # its variables are for the scripts that source it
# What every script in Tools shares. Source it; it sets $root and moves nothing.

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
toolchain=$root/.toolchain

# Where Mesa puts the library that pretends to be an AMD GPU, and its Vulkan drivers' manifests.
amd_shim='/usr/lib/*/libamdgpu_noop_drm_shim.so'
drivers=/usr/share/vulkan/icd.d

# Everything that is not an answer goes to stderr, so that pipes stay clean.
say() { printf '%s\n' "$*" >&2; }

# Stops the script: die EXIT_CODE MESSAGE...
die() {
    local code=$1
    shift
    say "$@"
    exit "$code"
}

# True if a glob matches a file: packages put libraries in folders named after the machine.
exists() { compgen -G "$1" >/dev/null; }
