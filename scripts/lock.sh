#!/bin/sh
# Makes package-lock.json anew after a change of package.json. Two things need care: optional packages for
# other platforms must all be in it (else `npm ci` refuses), and no download address may be (a mirror's
# address helps nobody else). npm drops the former when it is told to drop the latter, so it is done here.
set -eu
cd "$(dirname -- "$0")/.."
rm -f package-lock.json
npm install --package-lock-only --omit-lockfile-registry-resolved=false
sed -i '/^ *"resolved": /d' package-lock.json
