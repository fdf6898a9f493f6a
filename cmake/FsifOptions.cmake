# SPDX-License-Identifier: MIT
# What can be switched, and the flags that every target gets.
option(FSIF_HOST "build libfsif-host, the transports and stores (needs a POSIX host)" ON)
cmake_dependent_option(FSIF_CLIENT "build libfsif-client" ON FSIF_HOST OFF)
cmake_dependent_option(FSIF_CLI "build the program fsif" ON FSIF_CLIENT OFF)
cmake_dependent_option(FSIF_SERVER "build the daemon fsif-backend (needs libuv)" ON FSIF_HOST OFF)
cmake_dependent_option(FSIF_EXAMPLES "build the examples" ON FSIF_CLIENT OFF)
option(FSIF_TESTS "build the tests" ${PROJECT_IS_TOP_LEVEL})
cmake_dependent_option(FSIF_CHECK "build the unit tests too (needs Check)" ON FSIF_TESTS OFF)
option(FSIF_WERROR "warnings are errors" OFF)
option(FSIF_FUZZ "build libFuzzer targets (needs clang)" OFF)
set(FSIF_SANITIZE "" CACHE STRING "sanitizers, as in -fsanitize=: address,undefined or thread")
option(FSIF_COVERAGE "instrument for gcov" OFF)

if(FSIF_FUZZ AND NOT CMAKE_C_COMPILER_ID MATCHES Clang)
  message(FATAL_ERROR "FSIF_FUZZ needs clang: configure with -DCMAKE_C_COMPILER=clang")
endif()
if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug, Release, RelWithDebInfo" FORCE)
endif()

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET default)

add_library(fsif_flags INTERFACE)
target_compile_options(fsif_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla
  $<$<BOOL:${FSIF_WERROR}>:-Werror>)
if(FSIF_SANITIZE)
  target_compile_options(fsif_flags INTERFACE -fsanitize=${FSIF_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(fsif_flags INTERFACE -fsanitize=${FSIF_SANITIZE})
endif()
if(FSIF_FUZZ)
  target_compile_options(fsif_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(FSIF_COVERAGE)
  target_compile_options(fsif_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(fsif_flags INTERFACE --coverage)
endif()
