# shellcheck shell=bash
# Installs or unpacks Debian packages, also from another suite of the machine's mirror, without changing apt's configuration:
# uses private copies of its sources and package lists. Needs common.sh.

apt_state=$toolchain/apt
apt_options=(-qq -y --no-install-recommends
    -o Dir::State::Lists="$apt_state/lists" -o Dir::Cache="$apt_state/cache"
    -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt_state/sources.list.d"
    -o Acquire::Languages=none -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0)

# True on Debian with apt. (Other distributions have other names of packages and suites.)
can_use_debian() {
    [[ $(os_release ID) == debian ]] && command -v apt-get >/dev/null
}

# Prints one field of os-release, without setting its variables here.
os_release() {
    # shellcheck source=/dev/null
    (source /etc/os-release 2>/dev/null && printf '%s\n' "${!1-}")
}

# Prints the Debian mirror in the machine's apt sources. The package lists must have been read.
debian_mirror() {
    apt-get "${apt_options[@]}" indextargets --format "\$(ORIGIN) \$(LABEL) \$(RELEASE) \$(COMPONENT) \$(REPO_URI)" |
        awk -v suite="$(os_release VERSION_CODENAME)" \
            '$1 == "Debian" && $2 == "Debian" && $3 == suite && $4 == "main" && !found {print $5; found = 1}'
}

# Reads the private package lists, of the machine's sources and of the named suites. Third-party sources may fail.
use_suites() {
    local mirror suite key option
    rm -rf "$apt_state/sources.list.d"
    mkdir -p "$apt_state/sources.list.d" "$apt_state/lists/partial" "$apt_state/cache/archives/partial"
    [[ ! -e /etc/apt/sources.list ]] || cp /etc/apt/sources.list "$apt_state/sources.list.d/machine.list"
    cp /etc/apt/sources.list.d/* "$apt_state/sources.list.d/" 2>/dev/null || true
    apt-get "${apt_options[@]}" update >&2 || true
    mirror=$(debian_mirror)
    [[ -n $mirror ]] || die "$exit_download" "setup: could not read a Debian mirror named by this machine's apt sources." \
        "Check /etc/apt/sources.list and the network, then run setup again."
    (($# > 0)) || return 0
    # An outdated mirror is acceptable, since the packages are signed and pinned.
    option=check-valid-until=no
    key=$(compgen -G '/usr/share/keyrings/debian-archive-keyring.[gp]*' | head -n 1 || true)
    [[ -z $key ]] || option+=" signed-by=$key"
    for suite; do printf 'deb [%s] %s %s main\n' "$option" "$mirror" "$suite"; done >"$apt_state/sources.list.d/fathom.list"
    apt-get "${apt_options[@]}" update >&2 || die "$exit_download" "setup: could not download the package lists of $* from $mirror."
}

# Installs packages for the whole machine, preferring one suite: install_system SUITE PACKAGE...
install_system() {
    local suite=$1 command
    shift
    command=(apt-get "${apt_options[@]}" -t "$suite" install "$@")
    if ((EUID != 0)); then
        command=(sudo "${command[@]}")
        sudo -n true 2>/dev/null || die "$exit_by_hand" "setup: installing $* needs root. Run this, then run setup again:" \
            "${command[*]@Q}"
    fi
    LC_ALL=C DEBIAN_FRONTEND=noninteractive "${command[@]}" </dev/null >"$toolchain/apt.log" 2>&1 || {
        cat "$toolchain/apt.log" >&2
        die "$exit_download" "setup: could not install $*."
    }
}

# Downloads packages of one suite and all their dependencies, including libc, as if nothing were installed. Prints the folder
# with the archives: download_closure SUITE PACKAGE...
download_closure() {
    local suite=$1
    shift
    : >"$apt_state/nothing-installed"
    rm -f "$apt_state"/cache/archives/*.deb
    apt-get "${apt_options[@]}" -o Dir::State::Status="$apt_state/nothing-installed" -o Debug::NoLocking=1 \
        -t "$suite" install --download-only "$@" >&2 || return 1
    printf '%s\n' "$apt_state/cache/archives"
}

# Unpacks packages and all their dependencies into a private folder: unpack_pinned FOLDER PINS SUITE PACKAGE...
# PINS is a file with the hash of each archive, whose name includes the version.
unpack_pinned() {
    local folder=$1 pins=$2 suite=$3 archives package versions=()
    shift 3
    for package; do versions+=("$(pinned_version "$pins" "$package")"); done
    if ! archives=$(download_closure "$suite" "${versions[@]}"); then
        say "setup: Debian $suite no longer has ${versions[*]}; trying its newest. If that works, record its hashes" \
            "in ${pins#"$root/"}."
        archives=$(download_closure "$suite" "$@") ||
            die "$exit_download" "setup: could not download $* from Debian $suite."
    fi
    check_hashes "$archives" "$pins"
    rm -rf "$folder"
    mkdir -p "$folder"
    for package in "$archives"/*.deb; do dpkg-deb -x "$package" "$folder"; done
    rm -f "$archives"/*.deb
}

# Prints "package=version" with the pinned version, or the name only if it is not pinned: pinned_version PINS PACKAGE
pinned_version() {
    awk -v package="$2" '
        {split($2, name, "_")}
        name[1] == package {sub("%3a", ":", name[2]); version = "=" name[2]}
        END {print package version}' "$1"
}

# Compares downloads with the recorded hashes: check_hashes FOLDER PINS
# A file without a recorded hash has another version, because the suite has changed.
check_hashes() {
    local folder=$1 pins=$2 file expected unknown=()
    for file in "$folder"/*.deb; do
        expected=$(awk -v name="${file##*/}" '$2 == name {print $1}' "$pins")
        if [[ -z $expected ]]; then
            unknown+=("${file##*/}")
        elif [[ $(sha256sum <"$file") != "$expected "* ]]; then
            die "$exit_download" "setup: ${file##*/} differs from its hash in ${pins#"$root/"}: not installing it."
        fi
    done
    ((${#unknown[@]} == 0)) ||
        say "setup: no hash is recorded for these packages, which only the mirror's signature verifies: ${unknown[*]}"
}
