#!/bin/sh
# House style that a script can see: banned functions, header guards, blanks, unfinished words.
# Usage: check_style.sh SOURCE_DIR. Prints every finding and exits 1.
set -eu
cd "$1"
bad=0

report() {
  if [ -n "$2" ]; then
    echo "$1:"
    echo "$2"
    bad=1
  fi
}

sources=$(find app engine tests -name '*.[ch]' -o -name '*.cpp' -o -name '*.inc')
# shellcheck disable=SC2086 # one word a file
{
  report "banned function" "$(grep -nE '\b(sprintf|strcpy|strcat|strncpy|strncat|atoi|atol|atof|strtok|gets|system|alloca)\(' $sources || true)"
  report "blank at the end of a line" "$(grep -nE '[[:blank:]]+$' $sources || true)"
  report "tab" "$(grep -nP '^\t' $sources || true)"
  report "line over 100 columns" "$(grep -nE '^.{101,}$' $sources || true)"
  report "unfinished" "$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' $sources || true)"
}
for f in $(find app engine tests -name '*.h'); do
  grep -q '^#ifndef [A-Z0-9_]*_H$' "$f" || report "no header guard" "$f"
done
exit $bad
