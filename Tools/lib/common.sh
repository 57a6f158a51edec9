# shellcheck shell=bash disable=SC2034  # its variables are for the scripts that source it
# What every script in Tools shares. Source it; it sets $root and moves nothing.

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
toolchain=$root/.toolchain

# Where the system's Mesa puts its Vulkan drivers' manifests.
drivers=/usr/share/vulkan/icd.d

# Swift unpacked in a usual place is found though nobody put it on PATH: a clean root shell has only the system's folders.
if ! command -v swift >/dev/null; then
    PATH=$PATH:${HOME:-/}/.local/share/swiftly/bin:/opt/swift/usr/bin:/usr/local/swift/usr/bin
fi

# Everything that is not an answer goes to stderr, so that pipes stay clean.
say() { printf '%s\n' "$*" >&2; }

# Stops the script: die EXIT_CODE LINE...
die() {
    local code=$1
    shift
    printf '%s\n' "$@" >&2
    exit "$code"
}

# True if a glob matches a file: packages put libraries in folders named after the machine.
exists() { compgen -G "$1" >/dev/null; }

# Runs a command on one of the system's Mesa drivers, whatever GPU the machine has: with_driver lvp COMMAND...
with_driver() {
    local manifest
    manifest=$(compgen -G "$drivers/$1_icd*.json" | head -n 1)
    shift
    env -u VK_DRIVER_FILES -u VK_ADD_DRIVER_FILES VK_ICD_FILENAMES="$manifest" MESA_SHADER_CACHE_DISABLE=1 "$@"
}
