# SPDX-License-Identifier: MIT
# The few kinds of target of this project.

# fsif_library(NAME name OUTPUT file VERSION_MAP map SOURCES ... INCLUDE dir LINK lib...)
# One compilation, a shared and a static library: name (shared), name_static; in the tree everything
# links the static one, which also shows internal symbols to the unit tests.
function(fsif_library)
  cmake_parse_arguments(L "" "NAME;OUTPUT;VERSION_MAP;INCLUDE;EXPORT" "SOURCES;LINK" ${ARGN})
  add_library(${L_NAME}_objects OBJECT ${L_SOURCES})
  target_include_directories(${L_NAME}_objects PUBLIC ${L_INCLUDE})
  target_link_libraries(${L_NAME}_objects PRIVATE fsif_flags)
  add_library(${L_NAME} SHARED $<TARGET_OBJECTS:${L_NAME}_objects>)
  add_library(${L_NAME}_static STATIC $<TARGET_OBJECTS:${L_NAME}_objects>)
  set_target_properties(${L_NAME} ${L_NAME}_static PROPERTIES OUTPUT_NAME ${L_OUTPUT}
    LINKER_LANGUAGE C)
  set_target_properties(${L_NAME} PROPERTIES SOVERSION 0 VERSION ${PROJECT_VERSION}
    EXPORT_NAME ${L_EXPORT} LINK_DEPENDS ${L_VERSION_MAP})
  set_target_properties(${L_NAME}_static PROPERTIES EXPORT_NAME ${L_EXPORT}_static)
  target_link_options(${L_NAME} PRIVATE -Wl,--version-script=${L_VERSION_MAP} -Wl,--no-undefined)
  if(FSIF_SANITIZE) # the run-time's symbols come with the program
    target_link_options(${L_NAME} PRIVATE -Wl,-z,undefs)
  endif()
  target_link_libraries(${L_NAME} PRIVATE $<BUILD_INTERFACE:fsif_flags>)
  target_link_libraries(${L_NAME}_static PUBLIC $<BUILD_INTERFACE:fsif_flags>)
  foreach(t ${L_NAME} ${L_NAME}_static)
    target_include_directories(${t} PUBLIC $<BUILD_INTERFACE:${L_INCLUDE}>
      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  endforeach()
  foreach(dep ${L_LINK})
    if(TARGET ${dep}_static)
      target_link_libraries(${L_NAME}_objects PUBLIC ${dep}_static)
      target_link_libraries(${L_NAME} PUBLIC ${dep})
      target_link_libraries(${L_NAME}_static PUBLIC ${dep}_static)
    else()
      target_link_libraries(${L_NAME}_objects PRIVATE ${dep})
      target_link_libraries(${L_NAME} PRIVATE ${dep})
      target_link_libraries(${L_NAME}_static PUBLIC ${dep})
    endif()
  endforeach()
  add_library(fsif::${L_EXPORT} ALIAS ${L_NAME}_static)
  install(TARGETS ${L_NAME} ${L_NAME}_static EXPORT fsif
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY ${L_INCLUDE}/fsif DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endfunction()

# fsif_module(KIND transport|store NAME name SOURCES ... INCLUDE dir LINK lib...)
# A static library to link in, fsif_KIND_NAME, and a plugin, fsif-KIND-NAME.so, whose only dynamic
# symbol is fsif_KIND_plugin.
function(fsif_module)
  cmake_parse_arguments(M "" "KIND;NAME;INCLUDE" "SOURCES;LINK" ${ARGN})
  set(t fsif_${M_KIND}_${M_NAME})
  add_library(${t} STATIC ${M_SOURCES})
  target_include_directories(${t} PUBLIC $<BUILD_INTERFACE:${M_INCLUDE}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${t} PUBLIC fsif_host_static ${M_LINK})
  set_target_properties(${t} PROPERTIES OUTPUT_NAME fsif-${M_KIND}-${M_NAME}
    EXPORT_NAME ${M_KIND}-${M_NAME})
  if(M_KIND STREQUAL "transport")
    set(type "struct fsif_transport")
  else()
    set(type "struct fsif_store_ops")
  endif()
  set(entry ${CMAKE_CURRENT_BINARY_DIR}/plugin-${M_NAME}.c)
  file(CONFIGURE OUTPUT ${entry} @ONLY CONTENT [[
#include <fsif/@M_KIND@.h>
extern const @type@ fsif_@M_KIND@_@M_NAME@;
extern const @type@ *const fsif_@M_KIND@_plugin;
const @type@ *const fsif_@M_KIND@_plugin = &fsif_@M_KIND@_@M_NAME@;
]])
  set(map ${CMAKE_CURRENT_BINARY_DIR}/plugin-${M_NAME}.map)
  file(CONFIGURE OUTPUT ${map} CONTENT "{ global: fsif_${M_KIND}_plugin; local: *; };\n")
  add_library(${t}_plugin MODULE ${entry})
  target_link_libraries(${t}_plugin PRIVATE ${t})
  target_link_options(${t}_plugin PRIVATE -Wl,--version-script=${map})
  set_target_properties(${t}_plugin PROPERTIES PREFIX "" OUTPUT_NAME fsif-${M_KIND}-${M_NAME}
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/plugins)
  install(TARGETS ${t} EXPORT fsif ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(TARGETS ${t}_plugin LIBRARY DESTINATION ${FSIF_PLUGIN_DIR})
  install(DIRECTORY ${M_INCLUDE}/fsif DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endfunction()

# fsif_unit_test(NAME name SOURCES ... LINK ... [OWN_PROCESSES]): a Check program, run by CTest as
# unit.NAME; with OWN_PROCESSES its cases leave something of their process changed
function(fsif_unit_test)
  if(NOT FSIF_CHECK)
    return()
  endif()
  cmake_parse_arguments(U "OWN_PROCESSES" "NAME" "SOURCES;LINK" ${ARGN})
  add_executable(unit-${U_NAME} ${U_SOURCES} ${PROJECT_SOURCE_DIR}/test/unit/suite.c)
  target_include_directories(unit-${U_NAME} PRIVATE ${PROJECT_SOURCE_DIR}/test/unit)
  target_link_libraries(unit-${U_NAME} PRIVATE ${U_LINK} fsif_flags PkgConfig::CHECK)
  add_test(NAME unit.${U_NAME} COMMAND unit-${U_NAME})
  # A hang is what Check's limit is for; its own, 4 s, is one of speed.
  set_tests_properties(unit.${U_NAME} PROPERTIES TIMEOUT 120 LABELS unit
    ENVIRONMENT_MODIFICATION CK_DEFAULT_TIMEOUT=set:60)
  # A process for each case has LeakSanitizer look through each, which takes longer than the cases.
  if(FSIF_SANITIZE MATCHES "address" AND NOT U_OWN_PROCESSES)
    set_property(TEST unit.${U_NAME} APPEND PROPERTY ENVIRONMENT_MODIFICATION CK_FORK=set:no)
  endif()
endfunction()

# fsif_man(FILES page.1 page.8 ...): install manual pages; CTest reads each as man.PAGE
function(fsif_man)
  cmake_parse_arguments(N "" "" "FILES" ${ARGN})
  find_program(FSIF_MANDOC mandoc)
  foreach(file ${N_FILES})
    cmake_path(ABSOLUTE_PATH file)
    cmake_path(GET file FILENAME name)
    string(REGEX MATCH "[1-9]$" section "${name}")
    install(FILES ${file} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    if(FSIF_TESTS AND FSIF_MANDOC)
      set_property(GLOBAL APPEND PROPERTY FSIF_MAN_PAGES ${file})
    endif()
  endforeach()
endfunction()

set(FSIF_PLUGIN_DIR ${CMAKE_INSTALL_LIBDIR}/fsif CACHE STRING "where plugins are installed")
