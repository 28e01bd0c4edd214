# Everything the build takes from outside: Debian 12's packages (deploy/setup/packages.txt) and
# Cap'n Proto, which Debian ships without position independent static archives.
# Each dependency becomes a target; no other file of the build calls find_*.

set(_missing "")

# A package with its own CMake config; `target` must exist afterwards.
macro(outboard_need_package package target debian)
  find_package(${package} QUIET CONFIG)
  if(NOT TARGET ${target})
    list(APPEND _missing "${package} (Debian package ${debian})")
  endif()
endmacro()

# A header-only library without one: becomes an INTERFACE target called `target`.
macro(outboard_need_header target header debian)
  find_path(${target}_INCLUDE_DIR "${header}")
  mark_as_advanced(${target}_INCLUDE_DIR)
  if(NOT ${target}_INCLUDE_DIR)
    list(APPEND _missing "${header} (Debian package ${debian})")
  elseif(NOT TARGET ${target})
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${target} SYSTEM INTERFACE "${${target}_INCLUDE_DIR}")
  endif()
endmacro()

macro(outboard_need_program variable program debian)
  find_program(${variable} ${program})
  mark_as_advanced(${variable})
  if(NOT ${variable})
    list(APPEND _missing "program ${program} (Debian package ${debian})")
  endif()
endmacro()

find_package(Threads REQUIRED)

outboard_need_package(tl-expected tl::expected libexpected-dev)
outboard_need_package(spdlog spdlog::spdlog_header_only libspdlog-dev)
outboard_need_package(fmt fmt::fmt-header-only libfmt-dev)
outboard_need_package(zstd zstd::libzstd_static libzstd-dev)
outboard_need_package(CLI11 CLI11::CLI11 libcli11-dev)
outboard_need_package(nlohmann_json nlohmann_json::nlohmann_json nlohmann-json3-dev)
outboard_need_header(outboard_asio asio.hpp libasio-dev)
outboard_need_header(outboard_tomlplusplus toml++/toml.h libtomlplusplus-dev)
outboard_need_program(OUTBOARD_CAPNP capnp capnproto)
outboard_need_program(OUTBOARD_CAPNPC_CXX capnpc-c++ capnproto)
if(OUTBOARD_TESTS OR OUTBOARD_FUZZ)
  outboard_need_package(GTest GTest::gmock "libgtest-dev libgmock-dev")
endif()
if(OUTBOARD_BENCH)
  outboard_need_package(benchmark benchmark::benchmark libbenchmark-dev)
endif()

# The generator runs on Debian's own python3, because python3-yaml and python3-jinja2 belong to
# that one; the first python3 on PATH may be another.
set(OUTBOARD_PYTHON /usr/bin/python3 CACHE FILEPATH "Python with yaml and jinja2, for the generator")
execute_process(COMMAND "${OUTBOARD_PYTHON}" -c "import yaml, jinja2"
                RESULT_VARIABLE _python_result OUTPUT_QUIET ERROR_QUIET)
if(NOT _python_result EQUAL 0)
  list(APPEND _missing "${OUTBOARD_PYTHON} with yaml and jinja2 (Debian packages python3-yaml python3-jinja2)")
endif()

if(_missing)
  list(JOIN _missing "\n  " _missing)
  message(FATAL_ERROR "Outboard needs what this machine lacks:\n  ${_missing}\n"
                      "Run `make setup` (it installs Debian's packages and builds Cap'n Proto), then configure again.")
endif()

include(OutboardFromSource)
