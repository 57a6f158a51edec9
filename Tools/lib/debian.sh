# shellcheck shell=bash
# Debian packages, also from another suite of the machine's own mirror, without touching apt's configuration:
# sources and lists are copied to a private folder, so the machine's own never learn of the other suite.
# Needs common.sh.

apt_state=$toolchain/apt
apt_options=(-qq -y --no-install-recommends
    -o Dir::State::Lists="$apt_state/lists" -o Dir::Cache="$apt_state/cache"
    -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt_state/sources.list.d"
    -o Acquire::Languages=none -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0)

# True on Debian with apt: other distributions have other package and suite names.
can_use_debian() {
    [[ $(os_release ID) == debian ]] && command -v apt-get >/dev/null
}

# Prints one field of os-release, without its variables leaking into ours.
os_release() {
    # shellcheck source=/dev/null
    (source /etc/os-release 2>/dev/null && printf '%s\n' "${!1-}")
}

# Prints the mirror that the machine's own sources name for Debian (its lists must have been read).
debian_mirror() {
    apt-get "${apt_options[@]}" indextargets --format "\$(ORIGIN) \$(LABEL) \$(RELEASE) \$(COMPONENT) \$(REPO_URI)" |
        awk -v suite="$(os_release VERSION_CODENAME)" \
            '$1 == "Debian" && $2 == "Debian" && $3 == suite && $4 == "main" && !found {print $5; found = 1}'
}

# Reads the private lists: the machine's own sources and the other suites named. Sources of somebody else may fail.
use_suites() {
    local mirror suite key option
    rm -rf "$apt_state/sources.list.d"
    mkdir -p "$apt_state/sources.list.d" "$apt_state/lists/partial" "$apt_state/cache/archives/partial"
    [[ ! -e /etc/apt/sources.list ]] || cp /etc/apt/sources.list "$apt_state/sources.list.d/machine.list"
    cp /etc/apt/sources.list.d/* "$apt_state/sources.list.d/" 2>/dev/null || true
    apt-get "${apt_options[@]}" update >&2 || true
    mirror=$(debian_mirror)
    [[ -n $mirror ]] || die "$exit_download" "setup: could not read a Debian mirror named by this machine's apt sources." \
        "Check /etc/apt/sources.list and the network, then run it again."
    (($# > 0)) || return 0
    # A mirror that lags is good enough for packages that are signed and pinned.
    option=check-valid-until=no
    key=$(compgen -G '/usr/share/keyrings/debian-archive-keyring.[gp]*' | head -n 1 || true)
    [[ -z $key ]] || option+=" signed-by=$key"
    for suite; do printf 'deb [%s] %s %s main\n' "$option" "$mirror" "$suite"; done >"$apt_state/sources.list.d/fathom.list"
    apt-get "${apt_options[@]}" update >&2 || die "$exit_download" "setup: $mirror did not give the package lists of $*."
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

# Downloads packages of one suite with everything they depend on, libc included, as if nothing were installed;
# prints the folder they are in: download_closure SUITE PACKAGE...
download_closure() {
    local suite=$1
    shift
    : >"$apt_state/nothing-installed"
    rm -f "$apt_state"/cache/archives/*.deb
    apt-get "${apt_options[@]}" -o Dir::State::Status="$apt_state/nothing-installed" -o Debug::NoLocking=1 \
        -t "$suite" install --download-only "$@" >&2 || return 1
    printf '%s\n' "$apt_state/cache/archives"
}
