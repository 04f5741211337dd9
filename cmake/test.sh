#!/bin/sh
# Installs what is missing, builds, fuzzes a minute and runs the whole test suite. Arguments go to
# ctest, which then runs alone:
#   sh cmake/test.sh -R recommend
set -eu
cd "$(dirname "$0")/.."
. cmake/setup.sh
setup_packages "run test"
setup_build ON
[ $# -gt 0 ] || setup_fuzz "${MOODREEL_FUZZ_SECONDS:-60}"
echo "running the tests"
exec ctest --test-dir build --output-on-failure "$@"
