# outboard_capnp: Cap'n Proto and KJ as position independent static archives, the only way it is
# linked anywhere. Debian's own archives cannot go into a shared library, and libcuda.so.1 must
# not bring a libcapnp.so into other people's processes.
set(OUTBOARD_CAPNP_SCRIPT "${CMAKE_SOURCE_DIR}/deploy/setup/build-capnp.sh")
set_property(DIRECTORY "${CMAKE_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${OUTBOARD_CAPNP_SCRIPT}")

# Idempotent; prints the folder on its last line. Builds only when the cache has nothing.
execute_process(COMMAND "${OUTBOARD_CAPNP_SCRIPT}"
                OUTPUT_VARIABLE OUTBOARD_CAPNP_DIR OUTPUT_STRIP_TRAILING_WHITESPACE
                RESULT_VARIABLE _capnp_result)
if(NOT _capnp_result EQUAL 0)
  message(FATAL_ERROR "Cap'n Proto could not be built (the reason stands above). `make setup` installs what ${OUTBOARD_CAPNP_SCRIPT} needs.")
endif()

add_library(outboard_capnp INTERFACE IMPORTED GLOBAL)
target_include_directories(outboard_capnp SYSTEM INTERFACE "${OUTBOARD_CAPNP_DIR}/include")
target_link_libraries(outboard_capnp INTERFACE
  "${OUTBOARD_CAPNP_DIR}/lib/libcapnp.a" "${OUTBOARD_CAPNP_DIR}/lib/libkj.a" Threads::Threads)
# No reflection in the archives, so none in the generated code.
target_compile_definitions(outboard_capnp INTERFACE CAPNP_LITE=1)
