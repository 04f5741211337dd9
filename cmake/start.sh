#!/bin/sh
# Installs what is missing, builds, and opens the live app. Arguments go to the app:
#   sh cmake/start.sh --source demo
set -eu
cd "$(dirname "$0")/.."
. cmake/setup.sh
setup_packages "run"
setup_build OFF
echo "starting build/bin/moodreel $*"
exec build/bin/moodreel "$@"
