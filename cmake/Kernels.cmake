# Instruction-set overlays of engine/kernels: each file is compiled with its own flags, when the
# compiler knows them, and announced to cpu.c as NN_HAVE_<ISA>.
include(CheckCSourceCompiles)

set(KERNELS_ISAS AVX2 AVXVNNI AVX512 AVX512VNNI AVX512BF16 NEON)
set(KERNELS_FLAGS_AVX2 -mavx2 -mfma)
set(KERNELS_FLAGS_AVXVNNI ${KERNELS_FLAGS_AVX2} -mavxvnni)
set(KERNELS_FLAGS_AVX512 ${KERNELS_FLAGS_AVX2} -mavx512f -mavx512bw -mavx512dq -mavx512vl)
set(KERNELS_FLAGS_AVX512VNNI ${KERNELS_FLAGS_AVX512} -mavx512vnni)
set(KERNELS_FLAGS_AVX512BF16 ${KERNELS_FLAGS_AVX512} -mavx512bf16)
set(KERNELS_FLAGS_NEON)
set(KERNELS_MACRO_AVX2 __FMA__)
set(KERNELS_MACRO_AVXVNNI __AVXVNNI__)
set(KERNELS_MACRO_AVX512 __AVX512BW__)
set(KERNELS_MACRO_AVX512VNNI __AVX512VNNI__)
set(KERNELS_MACRO_AVX512BF16 __AVX512BF16__)
set(KERNELS_MACRO_NEON __aarch64__)

# KERNELS_HAVE_<isa>: the compiler takes the flags and defines the macro.
function(kernels_probe isa)
  string(REPLACE ";" " " CMAKE_REQUIRED_FLAGS "${KERNELS_FLAGS_${isa}}")
  check_c_source_compiles(
    "#ifndef ${KERNELS_MACRO_${isa}}\n#error\n#endif\nint main(void) { return 0; }"
    KERNELS_HAVE_${isa})
endfunction()

# Overlays are optimised whatever the build type: a debug build still has to train in the tests.
# Sanitizers stay out of them (minutes of compile time for unrolled tiles): check_kernels holds them
# against the sanitized scalar.c, with canaries around every buffer.
function(kernels_add_isas target)
  set_source_files_properties(scalar.c scalar_simple.c scalar_dot.c winograd.c PROPERTIES
                              COMPILE_OPTIONS "-O2;-ffp-contract=off")
  foreach(isa ${KERNELS_ISAS})
    kernels_probe(${isa})
    string(TOLOWER ${isa}.c file)
    if(KERNELS_HAVE_${isa} AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
      target_sources(${target} PRIVATE ${file})
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS
        "-O3;-ffp-contract=fast;-fno-sanitize=all;-Wno-psabi;-Wno-unknown-pragmas;${KERNELS_FLAGS_${isa}}")
      target_compile_definitions(${target} PRIVATE NN_HAVE_${isa})
    endif()
  endforeach()
endfunction()
