#!/bin/sh
# Makes package-lock.json anew after a change of package.json. Three things need care: optional packages for
# other platforms must all be in it (else `npm ci` refuses), no download address may be (a mirror's address
# helps nobody else), and every integrity digest must be (npm loses those of packages it finds installed, so
# the work is done in an empty folder).
set -eu
cd "$(dirname -- "$0")/.."
work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-lock.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp package.json .npmrc "$work/"
(cd "$work" && npm install --package-lock-only --omit-lockfile-registry-resolved=false)
sed '/^ *"resolved": /d' "$work/package-lock.json" >package-lock.json
