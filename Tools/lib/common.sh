# shellcheck shell=bash disable=SC2034  # its variables are for the scripts that source it
# Definitions that all scripts in Tools share, to be sourced. Sets $root and does not change the current folder.

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
toolchain=$root/.toolchain

# The folder of the manifests of the system's Vulkan drivers.
drivers=/usr/share/vulkan/icd.d

# Finds Swift in its usual folders even if they are not on PATH, as in a root shell.
if ! command -v swift >/dev/null; then
    PATH=$PATH:${HOME:-/}/.local/share/swiftly/bin:/opt/swift/usr/bin:/usr/local/swift/usr/bin
fi

# Prints to stderr, so that stdout contains only results.
say() { printf '%s\n' "$*" >&2; }

# Stops the script: die EXIT_CODE LINE...
die() {
    local code=$1
    shift
    printf '%s\n' "$@" >&2
    exit "$code"
}

# True if a glob matches a file. (Packages install libraries in folders named after the architecture.)
exists() { compgen -G "$1" >/dev/null; }

# Runs a command on one of the system's Mesa drivers, regardless of the machine's GPU: with_driver lvp COMMAND...
with_driver() {
    local manifest
    manifest=$(compgen -G "$drivers/$1_icd*.json" | head -n 1)
    shift
    env -u VK_DRIVER_FILES -u VK_ADD_DRIVER_FILES VK_ICD_FILENAMES="$manifest" MESA_SHADER_CACHE_DISABLE=1 "$@"
}
