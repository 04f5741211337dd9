#!/bin/sh
# Installs into a folder that it was not built for and runs the program from there, from elsewhere.
# Usage: check_install.sh CMAKE BUILD_DIR. Prints what is missing or found in the wrong place; exits 1.
set -eu
prefix=$(cd "$(mktemp -d)" && pwd -P)
trap 'rm -rf "$prefix"' EXIT
"$1" --install "$2" --prefix "$prefix" >"$prefix/install.log" 2>&1 || { cat "$prefix/install.log"; exit 1; }
bad=0

fail() {
  echo "$1"
  bad=1
}

for f in bin/moodreel bin/moodreel-lab libexec/moodreel-live lib/systemd/user/moodreel-kiosk.service \
         share/moodreel/models/xception38.onnx share/moodreel/starter.db \
         share/moodreel/policies/lift.conf share/applications/moodreel.desktop \
         share/icons/hicolor/scalable/apps/moodreel.svg; do
  [ -s "$prefix/$f" ] || fail "not installed: $f"
done
command -v desktop-file-validate >/dev/null && desktop-file-validate "$prefix/share/applications/moodreel.desktop"

cd /
unset MOODREEL_DATA_DIR
export HOME="$prefix/home" XDG_DATA_HOME="$prefix/data" XDG_CONFIG_HOME="$prefix/config" SDL_VIDEODRIVER=dummy
report=$("$prefix/bin/moodreel" doctor) || fail "doctor: $report"
for what in model catalogue; do
  echo "$report" | grep -q "ok  *$what  *$prefix/share/moodreel/" || fail "not from the prefix: $what: $report"
done
"$prefix/bin/moodreel" recommend --emotion sad --top 3 --json | grep -q '"title"' || fail "recommend gives no title"
ldd "$prefix/bin/moodreel" | grep -E 'opencv|SDL' && fail "moodreel loads what only moodreel-live needs"
"$prefix/bin/moodreel" --source demo --exit-after 1 || fail "live: status $?"
"$prefix/bin/moodreel-lab" --help >/dev/null || fail "moodreel-lab does not start"
exit $bad
