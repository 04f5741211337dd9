#!/bin/sh
# Installs what is missing, builds, and runs the whole test suite. Arguments go to ctest:
#   sh cmake/test.sh -R recommend
set -eu
cd "$(dirname "$0")/.."
. cmake/setup.sh
setup_packages "run test"
setup_build ON
echo "running the tests"
export MOODREEL_FUZZ_SECONDS="${MOODREEL_FUZZ_SECONDS:-60}"
exec ctest --test-dir build --output-on-failure "$@"
