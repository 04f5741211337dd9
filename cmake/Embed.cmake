# embed_text(<target> <symbol> <file>): the file as `const char <symbol>[]`, zero terminated, compiled
# into the target. Bytes rather than a literal: C promises only 4095 characters for those.
# The generated header embedded.h declares every symbol of the target.
function(embed_text target symbol file)
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(READ ${source} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
         "\\1\n" bytes "${bytes}")
  file(CONFIGURE OUTPUT ${out}
       CONTENT "/* Generated from ${file}. */\n#include \"embedded.h\"\nconst char ${symbol}[] = {\n${bytes}0};\n" @ONLY)
  set_property(TARGET ${target} APPEND PROPERTY EMBEDDED_SYMBOLS ${symbol})
  get_target_property(symbols ${target} EMBEDDED_SYMBOLS)
  set(text "")
  foreach(name IN LISTS symbols)
    string(APPEND text "extern const char ${name}[];\n")
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/embedded.h
       CONTENT "/* Generated: the embedded texts of ${target}. */\n${text}" @ONLY)
  target_sources(${target} PRIVATE ${out})
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
endfunction()
