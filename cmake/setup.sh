# Shared by start.sh and test.sh: installs missing packages, configures and builds into build/.
# Usage inside a script:  . cmake/setup.sh ; setup_packages "run test" ; setup_build ON

# Packages of the wanted kinds that dpkg does not know as installed.
missing_packages() {
  wanted=$1
  while read -r name kind _; do
    case "$name" in ''|'#'*) continue ;; esac
    case " $wanted " in *" $kind "*) ;; *) continue ;; esac
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$name"
  done < cmake/packages.txt
}

print_other_systems() {
  cat <<'NAMES'
This script installs packages with apt (Debian 12, Ubuntu 22.04 or later). On this system, please install:
  Fedora (dnf):   gcc gcc-c++ cmake ninja-build pkgconf opencv-devel SDL2-devel SDL2_ttf-devel fontconfig-devel
                  dejavu-sans-fonts sqlite-devel zlib-devel protobuf-c-devel protobuf-c-compiler jansson-devel
                  liblinear-devel plplot-devel libcmocka-devel xorg-x11-server-Xvfb xdotool
  Arch (pacman):  base-devel cmake ninja pkgconf opencv sdl2 sdl2_ttf fontconfig ttf-dejavu inter-font sqlite zlib
                  protobuf-c jansson liblinear plplot cmocka xorg-server-xvfb xdotool
  macOS (brew):   cmake ninja pkg-config opencv sdl2 sdl2_ttf fontconfig sqlite zlib protobuf-c jansson
                  liblinear plplot cmocka
then build with:  cmake -S . -B build && cmake --build build
NAMES
}

setup_packages() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    print_other_systems
    exit 1
  fi
  missing=$(missing_packages "$1")
  if [ -z "$missing" ]; then
    echo "packages: nothing is missing"
    return
  fi
  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    as_root="sudo"
    command -v sudo >/dev/null || { echo "Please run as root: apt-get install $missing"; exit 1; }
  fi
  echo "packages: installing $missing"
  export DEBIAN_FRONTEND=noninteractive
  $as_root apt-get -qq update
  # shellcheck disable=SC2086 # the list is meant to be split
  $as_root apt-get -qq -y --no-install-recommends install $missing >/dev/null
}

# $1: ON or OFF, whether the tests are built too. A folder that has them keeps them.
setup_build() {
  if [ ! -f build/build.ninja ] || [ "$1" = ON ]; then
    echo "configuring build/ (Release)"
    cmake -G Ninja -S . -B build -C cmake/release.cmake -DMOODREEL_TESTS="$1" >build.log 2>&1 ||
      { cat build.log; rm -f build.log; echo "cmake failed: see above"; exit 1; }
    mv build.log build/configure.log
  fi
  echo "building"
  cmake --build build
}

# $1: seconds. Model files are what strangers may hand to the program: fuzzed under the sanitizers.
setup_fuzz() {
  echo "fuzzing model files for $1 s under the sanitizers"
  { cmake -G Ninja -S . -B build/fuzz -C cmake/asan.cmake && cmake --build build/fuzz --target fuzz_onnx &&
    MOODREEL_FUZZ_SECONDS=$1 ctest --test-dir build/fuzz --output-on-failure --no-tests=error -R fuzz_onnx
  } >fuzz.log 2>&1 || { cat fuzz.log; rm -f fuzz.log; echo "fuzzing failed: see above"; exit 1; }
  mv fuzz.log build/fuzz/fuzz.log
}
