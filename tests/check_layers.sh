#!/bin/sh
# The include edges of app/README.md, "Layers": a lower layer never includes a higher one.
# Usage: check_layers.sh SOURCE_DIR. Prints every forbidden include and exits 1.
set -eu
cd "$1"
bad=0

# forbid FILES PATTERN: no file of the first list may include a path that matches the second.
forbid() {
  # shellcheck disable=SC2086 # the list of files is meant to be split and expanded
  hits=$(grep -nE "^#include \"($2)" $1 /dev/null || true)
  if [ -n "$hits" ]; then
    echo "$hits"
    bad=1
  fi
}

files() { find "$@" -type f -name '*.[ch]' | tr '\n' ' '; }

above_base='nn/|kernels/|internal\.h|emotion\.h|vision/|catalog/|ui/|lab/|cli/|app\.h|session\.h|views\.h|options\.h|report\.h'
forbid "$(files engine/base engine/include/base)" "$above_base"
forbid "$(files engine)" 'emotion\.h|vision/|catalog/|ui/|lab/|cli/|app\.h|session\.h|views\.h|options\.h|report\.h'
forbid "app/vision/opencv_c.h app/vision/opencv_c.cpp" 'base/|nn/|emotion\.h|catalog/|ui/|vision/[^o]'
forbid "$(files app/catalog)" 'nn/|vision/|ui/|lab/|cli/|app\.h|session\.h|views\.h|report\.h'
forbid "$(files app/vision)" 'catalog/|ui/|lab/|cli/|app\.h|session\.h|views\.h|report\.h'
forbid "app/ui/ui.h app/ui/ui.c" 'nn/|vision/|catalog/|lab/|cli/|emotion\.h|ui/ui_sdl|app\.h|session\.h|views\.h'
forbid "$(files app/lab)" 'ui/|app\.h|session\.h|views\.h'

# Only the door to OpenCV may see OpenCV, only the window may see SDL.
opencv=$(grep -rlE '#include <opencv' --include='*.[ch]' --include='*.cpp' app engine | grep -v '^app/vision/opencv_c\.' || true)
sdl=$(grep -rlE '#include <SDL' --include='*.[ch]' app engine | grep -vE '^app/ui/(ui_sdl|paint|fonts)\.' || true)
cplusplus=$(find app engine tests -name '*.cpp' ! -path app/vision/opencv_c.cpp)
for hit in $opencv $sdl $cplusplus; do
  echo "$hit: this file may not use OpenCV, SDL or C++"
  bad=1
done
exit $bad
