# outboard_generated: everything made from protocol/registry. The generator is not there yet.
add_custom_target(outboard_generated)
target_include_directories(outboard_options INTERFACE "${CMAKE_BINARY_DIR}/gen")
