# target_strict(<target>): the one list of compile options for our own code.
set(MOODREEL_C_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wundef -Wformat=2 -Wvla -Wcast-qual
    -Wstrict-prototypes -Wmissing-prototypes
    -Wno-format-truncation) # sentences are cut on purpose where their buffer ends
set(MOODREEL_CXX_WARNINGS -Wall -Wextra -Wshadow -Wformat=2)

function(target_strict target)
  target_compile_definitions(${target} PRIVATE _POSIX_C_SOURCE=200809L)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:C>:${MOODREEL_C_WARNINGS}>
    $<$<COMPILE_LANGUAGE:CXX>:${MOODREEL_CXX_WARNINGS}>
    $<$<BOOL:${MOODREEL_WERROR}>:-Werror>)
  if(MOODREEL_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${MOODREEL_SANITIZE}
                           -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
    target_link_options(${target} PUBLIC -fsanitize=${MOODREEL_SANITIZE})
  endif()
endfunction()
