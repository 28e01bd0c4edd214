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

file(GLOB _families RELATIVE "${_registry}/families" CONFIGURE_DEPENDS "${_registry}/families/*.yaml")
file(GLOB_RECURSE _inputs CONFIGURE_DEPENDS
     "${_registry}/*.json" "${_registry}/*.yaml" "${_registry}/*.lock" "${_codegen}/*.py" "${_codegen}/*.j2")

# One list of sources per consumer.
set(OUTBOARD_GEN_ABI_SOURCES
  "${OUTBOARD_GEN_DIR}/protocol/abi/cuda_abi_layout_gen.cc"
  "${OUTBOARD_GEN_DIR}/protocol/abi/error_names_gen.cc"
  "${OUTBOARD_GEN_DIR}/protocol/abi/proc_table_gen.cc")
set(OUTBOARD_GEN_WIRE_SOURCES "")
set(OUTBOARD_GEN_CLIENT_SOURCES "")         # bodies of generated calls
set(OUTBOARD_GEN_CLIENT_EXPORT_SOURCES "")  # the exported C functions, and their addresses
set(OUTBOARD_GEN_DISPATCH_SOURCES "")
set(OUTBOARD_GEN_DRIVER_API_SOURCES "${OUTBOARD_GEN_DIR}/server/device/driver_api_gen.cc")
set(OUTBOARD_GEN_SOFTGPU_WEAK_SOURCES "")
set(OUTBOARD_GEN_TEST_SOURCES "")
set(_headers
  "${OUTBOARD_GEN_DIR}/protocol/abi/cuda_abi_gen.h"
  "${OUTBOARD_GEN_DIR}/protocol/abi/error_names_gen.h"
  "${OUTBOARD_GEN_DIR}/protocol/abi/proc_table_gen.h"
  "${OUTBOARD_GEN_DIR}/server/device/driver_api_gen.h")

set(_stamp "${OUTBOARD_GEN_DIR}/generated.stamp")
add_custom_command(
  OUTPUT "${_stamp}"
  BYPRODUCTS ${_headers} ${OUTBOARD_GEN_ABI_SOURCES} ${OUTBOARD_GEN_WIRE_SOURCES} ${OUTBOARD_GEN_CLIENT_SOURCES}
             ${OUTBOARD_GEN_CLIENT_EXPORT_SOURCES} ${OUTBOARD_GEN_DISPATCH_SOURCES} ${OUTBOARD_GEN_DRIVER_API_SOURCES}
             ${OUTBOARD_GEN_SOFTGPU_WEAK_SOURCES} ${OUTBOARD_GEN_TEST_SOURCES}
  COMMAND "${CMAKE_COMMAND}" -E env PYTHONDONTWRITEBYTECODE=1 "${OUTBOARD_PYTHON}" "${_codegen}/generate.py"
          --registry "${_registry}" --output "${OUTBOARD_GEN_DIR}" --stamp "${_stamp}"
  DEPENDS ${_inputs}
  COMMENT "Generating code from protocol/registry"
  VERBATIM)
add_custom_target(outboard_generated DEPENDS "${_stamp}")

# Every target of ours links outboard_options, so none can be compiled before the headers exist.
target_include_directories(outboard_options INTERFACE "${OUTBOARD_GEN_DIR}")
add_dependencies(outboard_options outboard_generated)
