# Language level, warnings, sanitizers, ccache and where the products go.
option(OUTBOARD_TESTS "Build the tests" ON)
option(OUTBOARD_BENCH "Build the benchmarks" ON)
option(OUTBOARD_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
set(OUTBOARD_SANITIZE "" CACHE STRING "Comma separated -fsanitize= list, empty for none")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

# Programs in bin/, the client's libraries in lib/, the software device's own in lib/softgpu/
# (each target of the latter sets its own folder).
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/archive")

find_program(OUTBOARD_CCACHE ccache)
if(OUTBOARD_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER "${OUTBOARD_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${OUTBOARD_CCACHE}")
endif()

# Every target of ours links this: warnings as errors, sanitizers, the source root as include path.
add_library(outboard_options INTERFACE)
target_include_directories(outboard_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_options(outboard_options INTERFACE -Wall -Wextra -Werror -Wno-unused-parameter)
# g++ 12 sees overlaps in every std::string concatenation when it optimises (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(outboard_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
# Thread-local variables of a dlopen'ed library must not need static TLS space.
target_compile_options(outboard_options INTERFACE -ftls-model=global-dynamic)
if(OUTBOARD_SANITIZE)
  target_compile_options(outboard_options INTERFACE -fsanitize=${OUTBOARD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  # A C program may pass any int as one of the API's enums, and both compilers keep what it passed
  # (no -fstrict-enums): the checks for unknown values are ours, and tests send such values on purpose.
  if(OUTBOARD_SANITIZE MATCHES "undefined")
    target_compile_options(outboard_options INTERFACE -fno-sanitize=enum)
  endif()
  # Instrumented, the standard library's own code (std::regex) looks uninitialised to g++ 12.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(outboard_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>)
  endif()
  target_link_options(outboard_options INTERFACE -fsanitize=${OUTBOARD_SANITIZE})
  target_compile_definitions(outboard_options INTERFACE OUTBOARD_SANITIZED=1)
  if(OUTBOARD_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio's fences are not understood by the sanitizer; g++ says so at each.
    target_compile_options(outboard_options INTERFACE -Wno-tsan)
  endif()
endif()
if(OUTBOARD_FUZZ)
  # What the fuzzer steers by. Only the fuzz targets link its main().
  target_compile_options(outboard_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(outboard_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
