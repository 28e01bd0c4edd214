# Libraries that deploy/setup/build-*.sh makes from Debian's source, as position independent static
# archives, the only way they are linked anywhere. Debian's own archives cannot go into a shared
# library, and libcuda.so.1 must not bring libraries of its own into other people's processes.

# outboard_from_source(TARGET SCRIPT ARCHIVE...): an imported library. The script is idempotent,
# prints its folder on its last line, and builds only when the cache has nothing.
function(outboard_from_source target script)
  set(path "${CMAKE_SOURCE_DIR}/deploy/setup/${script}")
  set_property(DIRECTORY "${CMAKE_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${path}")
  execute_process(COMMAND "${path}" OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${script} failed (the reason stands above). `make setup` installs what it needs.")
  endif()
  list(TRANSFORM ARGN PREPEND "${folder}/lib/")
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} SYSTEM INTERFACE "${folder}/include")
  target_link_libraries(${target} INTERFACE ${ARGN} Threads::Threads)
  set(${target}_FOLDER "${folder}" PARENT_SCOPE)
endfunction()

outboard_from_source(outboard_capnp build-capnp.sh libcapnp.a libkj.a)
# No reflection in the archives, so none in the generated code.
target_compile_definitions(outboard_capnp INTERFACE CAPNP_LITE=1)

outboard_from_source(outboard_asmjit build-asmjit.sh libasmjit.a)
target_compile_definitions(outboard_asmjit INTERFACE ASMJIT_STATIC ASMJIT_NO_FOREIGN)
