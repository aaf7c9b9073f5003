#!/bin/sh
# Installs nginx with this machine's package manager, without starting the system's own nginx on port 80:
# topology starts one of its own. Does nothing where nginx is installed. As root, or with sudo where that asks
# for no password. Without either, on Debian and its relatives, nginx is unpacked under run/nginx-bin, where
# topology finds it too.
#
#   topology/install-nginx.sh [RUN_DIR]
set -eu

run_dir=${1:-run}
unpacked=$run_dir/nginx-bin/usr/sbin/nginx
PATH=$PATH:/usr/sbin:/usr/local/sbin
policy=/usr/sbin/policy-rc.d
log=$(mktemp)
made_policy=

clean_up() {
    [ -z "$made_policy" ] || as_root rm -f "$policy"
    rm -f "$log"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

say() { echo "install-nginx: $*" >&2; }

# Shows why it went wrong: the last line of what the package manager said.
give_up() {
    reason=$(sed -n '/[^[:space:]]/p' "$log" | tail -n 1)
    say "$*${reason:+: $reason}"
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# Debian starts a service when its package is installed, unless this program says no (101).
forbid_start() {
    [ ! -e "$policy" ] || return 0
    made_policy=yes
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
}

with_apt() {
    forbid_start
    get="env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends nginx"
    # shellcheck disable=SC2086 # words of one command
    as_root $get >"$log" 2>&1 || { as_root apt-get update -q >"$log" 2>&1 && as_root $get >"$log" 2>&1; }
}

unpack() {
    command -v dpkg-deb >/dev/null 2>&1 || return 1
    mkdir -p "$run_dir/nginx-bin"
    # Which package has the binary differs between releases.
    (
        cd "$run_dir/nginx-bin"
        for package in nginx nginx-core nginx-light; do
            apt-get download -q "$package" >"$log" 2>&1 || continue
            dpkg-deb -x "$package"_*.deb . && rm -f "$package"_*.deb
            [ ! -x usr/sbin/nginx ] || break
        done
    )
    [ -x "$unpacked" ] || return 1
    "$unpacked" -v >"$log" 2>&1 # it may miss a library
}

if command -v nginx >/dev/null 2>&1; then
    say "nginx is installed: $(command -v nginx)"
    exit 0
fi
if [ -x "$unpacked" ]; then
    say "nginx is unpacked: $unpacked"
    exit 0
fi

if [ "$(uname -s)" = Darwin ] && command -v brew >/dev/null 2>&1; then # brew refuses root
    brew install -q nginx >"$log" 2>&1 || give_up "brew could not install nginx"
elif as_root true; then
    if   command -v apt-get >/dev/null 2>&1; then with_apt
    elif command -v dnf     >/dev/null 2>&1; then as_root dnf install -y -q nginx >"$log" 2>&1
    elif command -v apk     >/dev/null 2>&1; then as_root apk add -q nginx >"$log" 2>&1
    elif command -v pacman  >/dev/null 2>&1; then as_root pacman -S --noconfirm --needed nginx >"$log" 2>&1
    else give_up "none of apt-get, dnf, apk, pacman and brew is here; install nginx by hand"
    fi || give_up "the package manager could not install nginx"
elif command -v apt-get >/dev/null 2>&1; then
    unpack || give_up "without root, nginx could not be unpacked under $run_dir/nginx-bin; as root: apt-get install nginx"
    say "nginx is unpacked, as this user is not root: $unpacked"
    exit 0
else
    give_up "this user is neither root nor may use sudo without a password; install nginx as root"
fi

command -v nginx >/dev/null 2>&1 || give_up "nginx was installed, but is not on the PATH"
if command -v systemctl >/dev/null 2>&1 && systemctl is-enabled -q nginx 2>/dev/null; then
    say "the system's own nginx will take port 80 at the next boot; systemctl disable nginx prevents that"
fi
say "nginx is installed: $(command -v nginx)"
