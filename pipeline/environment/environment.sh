#!/usr/bin/env bash
# Builds the virtual environment .venv exactly as requirements.lock states it.
#
# usage: pipeline/environment/environment.sh STAMP
#
# STAMP is a file inside .venv that exists only after a complete set-up. Without it, what lies in
# .venv is the rest of an interrupted set-up or of another checkout, and is built anew; with it,
# only what changed in the lock is installed. Needs bash, one Python that can make virtual
# environments or has pip (or uv itself), and no root and no compiler.
# PYTHON=/path/to/python chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

STAMP=${1:?usage: environment.sh STAMP}
LOCK=requirements.lock
# The wheels of two packages ask for glibc 2.39 without needing it: see glibc_compat.py.
PLATFORM=x86_64-manylinux_2_39
SUITABLE='import platform, struct, sys
sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 13)
              and platform.python_implementation() == "CPython" and struct.calcsize("P") == 8))'

say() { printf '%s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# A settled environment must not leak into the one that is built.
unset VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME PIP_TARGET PIP_USER
export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
# TensorFlow's wheel is large: a slow line is no reason to give up after uv's 30 s.
export UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT-300}

# The system's certificates where there are any: behind a company's proxy uv's own don't suffice.
# UV_NATIVE_TLS is the variable's name in older releases of uv.
if [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki/tls/certs/ca-bundle.crt ]; then
  export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS-1} UV_NATIVE_TLS=${UV_NATIVE_TLS-1}
fi

# Every Python that might serve, 3.11 first (the version that whole runs are tested on), one a line.
pythons() {
  local name home
  home=${PYENV_ROOT:-${HOME:-}/.pyenv}
  for name in python3.11 python3 python3.12 python3.13 python; do
    type -ap "$name" || true
  done
  for name in 3.11 3.12 3.13 3; do
    compgen -G "$home/versions/$name*/bin/python3" || true
  done
}

find_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    "$PYTHON" -c "$SUITABLE" 2>/dev/null \
      || fail "PYTHON=$PYTHON: CPython 3.11, 3.12 or 3.13 (64 bit) is needed."
    "$PYTHON" -c 'import sys; print(sys.executable)'
    return
  fi
  while read -r candidate; do
    # A pyenv shim may exist and yet refuse to run: only running it tells.
    if "$candidate" -c "$SUITABLE" >/dev/null 2>&1; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done < <(pythons)
}

works() { [[ $("$1" pip install --help 2>/dev/null) == *"$PLATFORM"* ]]; }

# Prints the path of a uv that knows the platform; fetches the lock's own when there is none.
find_uv() {
  local private=.venv.uv candidate
  while read -r candidate; do
    if [ -x "$candidate" ] && works "$candidate"; then
      say "$candidate"
      return
    fi
  done < <(type -ap uv; say "${HOME:-}/.local/bin/uv"; say $private/bin/uv)
  local pin
  pin=$(mktemp)
  # The lock's entry for uv, up to the next entry: version and hashes.
  awk '/^[a-zA-Z0-9]/ { on = /^uv==/ } on' "$LOCK" >"$pin"
  say "no uv on PATH: installing the lock's into $private" >&2
  rm -rf "$private"
  while read -r candidate; do
    if "$candidate" -m venv "$private" >/dev/null 2>&1; then
      "$private/bin/python" -m pip install -q --require-hashes -r "$pin" >&2 && break
    elif "$candidate" -m pip --version >/dev/null 2>&1; then
      # Debian without python3-venv: pip alone can fill a folder.
      "$candidate" -m pip install -q --target "$private" --require-hashes -r "$pin" >&2 && break
    fi
    rm -rf "$private"
  done < <(pythons)
  rm -f "$pin"
  [ -x $private/bin/uv ] && works $private/bin/uv || fail \
    "uv is not installed, and no Python here can fetch it (see above; the module venv or pip is" \
    "needed). Install one of: the package python3-venv, the package python3-pip, or uv itself" \
    "(https://docs.astral.sh/uv/getting-started/installation/), then run make setup again."
  say $private/bin/uv
}

[ "$(uname -sm)" = 'Linux x86_64' ] || fail \
  "x86-64 Linux is needed: ml-metadata has no build for $(uname -sm)."

# Two at once (make test beside make run): the second waits for the first and is then done.
exec 9<"$LOCK"
if command -v flock >/dev/null && ! flock --nonblock 9; then
  say 'waiting for another make setup'
  flock 9
  if [ -e "$STAMP" ]; then exit; fi
fi

uv=$(find_uv)
quiet=(-q)
if [ -t 2 ]; then quiet=(); fi  # progress bars for people, not for logs
if [ ! -e "$STAMP" ] || ! .venv/bin/python -c "$SUITABLE" 2>/dev/null; then
  python=$(find_python)
  if [ -z "$python" ]; then
    say 'no Python 3.11 to 3.13 found: asking uv for one'
    "$uv" python install -q 3.11 || fail \
      'CPython 3.11, 3.12 or 3.13 is needed, was not found on PATH or in pyenv, and could not be' \
      'downloaded. Install one (package python3.11), or name it: make setup PYTHON=/path/to/python'
    python=$("$uv" python find --managed-python 3.11)
  fi
  say "building .venv with $("$python" --version) ($python)"
  rm -rf .venv
  "$uv" venv -q --python "$python" .venv
fi
rm -f .venv/.complete*
# sync, not install: what the lock no longer names goes away. Two packages are pure Python yet come
# as source; the lock's setuptools builds them. CC and CXX: a compiler is not needed, and a lock that
# comes to need one shall fail everywhere rather than on the machines without.
# Bytecode now, on all cores: else each process compiles what it imports, 16 s in place of 6 for TFX
# where Python may not keep it (PYTHONDONTWRITEBYTECODE, usual in containers and CI).
say "installing the packages of $LOCK (4 GB on disk; downloaded the first time)"
CC=false CXX=false "$uv" pip sync "${quiet[@]}" --compile-bytecode --python .venv/bin/python \
  --python-platform "$PLATFORM" --require-hashes --build-constraints "$LOCK" "$LOCK"
.venv/bin/python -m thawline.pipeline.environment.glibc_compat
# Built with what was just installed: nothing unpinned is fetched.
"$uv" pip install -q --python .venv/bin/python --no-deps --no-build-isolation -e .
touch "$STAMP"
say "environment ready: .venv ($SECONDS s)"
