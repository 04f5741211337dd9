# Instruction-set overlays of engine/kernels: each file is compiled with its own flags, when the
# compiler knows them, and announced to cpu.c as NN_HAVE_<ISA>.
include(CheckCSourceCompiles)

set(KERNELS_FLAGS_AVX2 -mavx2 -mfma)
set(KERNELS_FLAGS_AVX512 -mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl)
set(KERNELS_FLAGS_NEON)

# kernels_probe(<isa> <preprocessor condition>): KERNELS_HAVE_<isa>
function(kernels_probe isa condition)
  string(REPLACE ";" " " CMAKE_REQUIRED_FLAGS "${KERNELS_FLAGS_${isa}}")
  check_c_source_compiles("#if !(${condition})\n#error\n#endif\nint main(void) { return 0; }"
                          KERNELS_HAVE_${isa})
endfunction()

# Optimised whatever the build type: a debug build still has to train in the tests.
# Sanitizers stay out of the overlays (minutes of compile time for unrolled tiles): check_kernels holds
# them against the sanitized scalar.c, with canaries around every buffer.
function(kernels_add_isas target)
  kernels_probe(AVX2 "defined(__AVX2__) && defined(__FMA__)")
  kernels_probe(AVX512 "defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)")
  kernels_probe(NEON "defined(__aarch64__)")
  set_source_files_properties(scalar.c winograd.c PROPERTIES COMPILE_OPTIONS "-O2;-ffp-contract=off")
  foreach(isa AVX2 AVX512 NEON)
    string(TOLOWER ${isa}.c file)
    if(KERNELS_HAVE_${isa} AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
      target_sources(${target} PRIVATE ${file})
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS
                                  "-O3;-ffp-contract=fast;-fno-sanitize=all;-Wno-psabi;-Wno-unknown-pragmas;${KERNELS_FLAGS_${isa}}")
      target_compile_definitions(${target} PRIVATE NN_HAVE_${isa})
    endif()
  endforeach()
endfunction()
