#!/usr/bin/env bash
# A container engine and the project's images, on a machine that may have neither.
#
#   containers/engine.sh start      use the engine that answers; where none does, install and start a private one
#   containers/engine.sh base       a small image with Python, made from Debian packages
#   containers/engine.sh build      base, and every image of this folder
#   containers/engine.sh env        what to eval: export DOCKER_HOST=...
#   containers/engine.sh stop       end the private engine; an engine of yours is left alone
#   containers/engine.sh clean      stop, and remove its images and everything else it stored
#
# A private engine needs Debian or Ubuntu and root. It listens on a Unix socket in its own folder (ENGINE_ROOT), never
# on the network. Images are built without a registry: the base from the Debian mirror that this machine uses, Python
# packages by this machine's pip, since a build has neither its certificates nor its settings.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${ENGINE_ROOT:-${TMPDIR:-/tmp}/batch-transform-planner-engine}
cache=${ENGINE_CACHE:-$root-cache}
python=${PYTHON:-python3}
base=batch-transform-planner/base
images=(sklearn-digits magika-onnx)
socket=$root/docker.sock
pid_file=$root/dockerd.pid

say() { echo "engine: $*" >&2; }
answers() { docker -H "$1" info >/dev/null 2>&1; }
ours_lives() { [ -s "$pid_file" ] && [ "$(cat "/proc/$(cat "$pid_file")/comm" 2>/dev/null)" = dockerd ]; }

host() {   # ours while it lives, else the user's own
    local users=${DOCKER_HOST:-unix:///var/run/docker.sock}
    if ours_lives; then echo "unix://$socket"; else echo "$users"; fi
}
engine() { DOCKER_BUILDKIT=0 docker -H "$(host)" "$@"; }

packages() {   # packages PROGRAM PACKAGE...: installed unless the program is there
    command -v "$1" >/dev/null && return
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "$1 is missing, and installing it takes root and apt-get"
        return 1
    fi
    shift
    say "installing $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$root/apt.log" 2>&1 ||
        { tail -5 "$root/apt.log" >&2; return 1; }
}

start() {
    mkdir -p "$root"
    if command -v docker >/dev/null && answers "$(host)"; then say "using the engine at $(host)"; return; fi
    local client=docker-cli   # a package of its own in newer releases
    apt-cache show "$client" >/dev/null 2>&1 || client=
    packages dockerd docker.io $client || return
    if answers "$(host)"; then say "using the engine at $(host), which installing it started"; return; fi
    [ "$(id -u)" = 0 ] || { say "no engine answers at $(host), and starting one takes root"; return 1; }
    rm -f "$pid_file"
    # A containerd that was killed may stay as a zombie, which dockerd takes for a live one.
    local stale=$root/exec/containerd/containerd.pid
    if [ -s "$stale" ] && ! grep -qs '^State:[[:space:]]*[RSD]' "/proc/$(cat "$stale")/status"; then
        rm -f "$stale" "$root/exec/containerd/"*.sock*
    fi
    (   # It outlives the caller, whose open files (locks, pipes) it must not keep.
        for file in /proc/self/fd/*; do [ "${file##*/}" -le 2 ] || eval "exec ${file##*/}>&-"; done
        exec setsid nohup dockerd --pidfile "$pid_file" --data-root "$root/data" --exec-root "$root/exec" \
            -H "unix://$socket" >"$root/dockerd.log" 2>&1 </dev/null
    ) &
    for _ in $(seq 150); do
        if answers "unix://$socket"; then say "started a private engine at unix://$socket"; return; fi
        sleep 0.2
    done
    say "dockerd did not come up; the end of $root/dockerd.log:"
    tail -5 "$root/dockerd.log" >&2
    stop
    return 1
}

base() {
    engine image inspect "$base" >/dev/null 2>&1 && return
    mkdir -p "$cache"
    if [ ! -s "$cache/base.tar" ]; then
        packages mmdebstrap mmdebstrap || return
        # Packages are unpacked, not configured: no shell tools beyond these, which serving does not miss.
        mmdebstrap --quiet --variant=extract --include=python3,python3-distutils,dash,coreutils,base-passwd,netbase,\
ca-certificates,libgomp1,libstdc++6 "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$cache/part.tar" \
            >"$cache/mmdebstrap.log" 2>&1 || { tail -5 "$cache/mmdebstrap.log" >&2; return 1; }
        mv "$cache/part.tar" "$cache/base.tar"
    fi
    engine import "$cache/base.tar" "$base" >/dev/null
    say "made $base ($(du -m "$cache/base.tar" | cut -f1) MB)"
}

build_image() {   # build_image NAME: the context of that name, with its Python packages beside it as site/
    local context=$here/$1 site=$cache/site-$1 version
    if ! cmp -s "$context/requirements.txt" "$site/requirements.txt"; then
        version=$(engine run --rm --network none "$base" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        rm -rf "$site"
        "$python" -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target "$site/site" --only-binary=:all: \
            --python-version "$version" --platform "manylinux2014_$(uname -m)" --platform "manylinux_2_28_$(uname -m)" \
            --requirement "$context/requirements.txt" || return
        cp "$context/requirements.txt" "$site/requirements.txt"
    fi
    tar -c -C "$context" Dockerfile program -C "$site" site |
        engine build --quiet --tag "batch-transform-planner/$1" --build-arg BASE="$base" - >/dev/null 2>"$cache/build.log" ||
        { tail -5 "$cache/build.log" >&2; return 1; }
    say "built batch-transform-planner/$1"
}

build() { base && for name in "${images[@]}"; do build_image "$name" || return; done; }

stop() {
    ours_lives || return 0
    local pid
    pid=$(cat "$pid_file")
    kill -TERM "$pid"
    for _ in $(seq 150); do
        kill -0 "$pid" 2>/dev/null || { say "stopped the private engine"; return; }
        sleep 0.2
    done
    say "dockerd ($pid) has not ended in 30 s; see $root/dockerd.log"
    return 1
}

clean() {
    stop || return
    umount "$root"/exec/netns/* 2>/dev/null || true
    umount -l "$root/data" 2>/dev/null || true   # dockerd mounts it onto itself
    rm -rf "$root" "$cache"
}

[ $# -gt 0 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 2; }
for verb in "$@"; do
    case $verb in
        start | base | build | stop | clean) "$verb" || exit 1 ;;
        env) echo "export DOCKER_HOST=$(host)" ;;
        *) say "no such verb: $verb"; exit 2 ;;
    esac
done
