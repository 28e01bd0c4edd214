# outboard_generated: everything made from protocol/registry by protocol/codegen/generate.py.
# The files lie under ${CMAKE_BINARY_DIR}/gen, which is an include root of every target of ours.
# Their names follow from the families' names, so they are known here; their content is written by
# one command that runs when the registry or the generator changed, and touches only what differs.

if(NOT DEFINED OUTBOARD_PYTHON)
  set(OUTBOARD_PYTHON /usr/bin/python3)
endif()
set(OUTBOARD_GEN_DIR "${CMAKE_BINARY_DIR}/gen")
set(_registry "${CMAKE_SOURCE_DIR}/protocol/registry")
set(_codegen "${CMAKE_SOURCE_DIR}/protocol/codegen")

file(GLOB _families CONFIGURE_DEPENDS "${_registry}/families/*.yaml")
list(TRANSFORM _families REPLACE ".*/(.*)\\.yaml$" "\\1")
file(GLOB_RECURSE _inputs CONFIGURE_DEPENDS
     "${_registry}/*.json" "${_registry}/*.yaml" "${_registry}/*.lock" "${_codegen}/*.py" "${_codegen}/*.j2")

# Sets `variable` to the given files, and one per family: PREFIX<family>SUFFIX for each pattern with an @ in it.
function(_outboard_generated variable)
  set(_files "")
  foreach(_pattern IN LISTS ARGN)
    if(_pattern MATCHES "@")
      foreach(_family IN LISTS _families)
        string(REPLACE "@" "${_family}" _file "${_pattern}")
        list(APPEND _files "${OUTBOARD_GEN_DIR}/${_file}")
      endforeach()
    else()
      list(APPEND _files "${OUTBOARD_GEN_DIR}/${_pattern}")
    endif()
  endforeach()
  set(${variable} "${_files}" PARENT_SCOPE)
endfunction()

# One list of sources per consumer.
_outboard_generated(OUTBOARD_GEN_ABI_SOURCES
  protocol/abi/cuda_abi_layout_gen.cc protocol/abi/error_names_gen.cc protocol/abi/proc_table_gen.cc)
_outboard_generated(OUTBOARD_GEN_WIRE_SOURCES
  protocol/wire/opcodes_gen.cc protocol/wire/records_gen.cc protocol/wire/messages_@_gen.cc)
# Bodies of generated calls, and the translation of structs.
_outboard_generated(OUTBOARD_GEN_CLIENT_SOURCES
  client-lib/calls/structs_gen.cc client-lib/calls/generated_@_gen.cc)
# The exported C functions, and their addresses: only for the library itself.
_outboard_generated(OUTBOARD_GEN_CLIENT_EXPORT_SOURCES
  client-lib/shim/symbol_addresses_gen.cc client-lib/shim/exports_@_gen.cc)
_outboard_generated(OUTBOARD_GEN_DISPATCH_SOURCES
  server/worker/dispatch_gen.cc server/worker/structs_gen.cc server/worker/dispatch_@_gen.cc)
_outboard_generated(OUTBOARD_GEN_DRIVER_API_SOURCES server/device/driver_api_gen.cc)
_outboard_generated(OUTBOARD_GEN_SOFTGPU_WEAK_SOURCES server/softgpu/driver/weak_exports_@_gen.cc)
_outboard_generated(OUTBOARD_GEN_TEST_SOURCES tests/wire/messages_@_gen_test.cc)
_outboard_generated(OUTBOARD_GEN_CALL_TEST_SOURCES tests/client/generated_calls_gen.cc)
_outboard_generated(_headers
  protocol/abi/cuda_abi_gen.h protocol/abi/error_names_gen.h protocol/abi/proc_table_gen.h
  protocol/wire/opcodes_gen.h protocol/wire/records_gen.h protocol/wire/messages_@_gen.h
  client-lib/calls/calls_gen.h client-lib/calls/call_support_gen.h client-lib/calls/structs_gen.h
  client-lib/shim/symbol_addresses_gen.h
  server/device/driver_api_gen.h
  server/worker/dispatch_gen.h server/worker/dispatch_support_gen.h server/worker/handlers_gen.h
  server/worker/structs_gen.h
  tests/wire/message_samples_gen.h)

set(_stamp "${OUTBOARD_GEN_DIR}/generated.stamp")
add_custom_command(
  OUTPUT "${_stamp}"
  BYPRODUCTS ${_headers} ${OUTBOARD_GEN_ABI_SOURCES} ${OUTBOARD_GEN_WIRE_SOURCES} ${OUTBOARD_GEN_CLIENT_SOURCES}
             ${OUTBOARD_GEN_CLIENT_EXPORT_SOURCES} ${OUTBOARD_GEN_DISPATCH_SOURCES} ${OUTBOARD_GEN_DRIVER_API_SOURCES}
             ${OUTBOARD_GEN_SOFTGPU_WEAK_SOURCES} ${OUTBOARD_GEN_TEST_SOURCES} ${OUTBOARD_GEN_CALL_TEST_SOURCES}
  COMMAND "${CMAKE_COMMAND}" -E env PYTHONDONTWRITEBYTECODE=1 "${OUTBOARD_PYTHON}" "${_codegen}/generate.py"
          --registry "${_registry}" --output "${OUTBOARD_GEN_DIR}" --stamp "${_stamp}"
  DEPENDS ${_inputs}
  COMMENT "Generating code from protocol/registry"
  VERBATIM)
add_custom_target(outboard_generated DEPENDS "${_stamp}")

# Every target of ours links outboard_options, so none can be compiled before the headers exist.
target_include_directories(outboard_options INTERFACE "${OUTBOARD_GEN_DIR}")
add_dependencies(outboard_options outboard_generated)

# Rewrites the checked-in page; a test says when that is due.
add_custom_target(coverage
  COMMAND "${CMAKE_COMMAND}" -E env PYTHONDONTWRITEBYTECODE=1 "${OUTBOARD_PYTHON}" "${_codegen}/generate.py"
          --registry "${_registry}" --coverage "${CMAKE_SOURCE_DIR}/docs/api-coverage.md"
  VERBATIM)
