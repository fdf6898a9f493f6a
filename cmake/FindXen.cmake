# SPDX-License-Identifier: MIT
# Xen's three libraries for user space: grants, event channels and xenstore. Sets Xen_FOUND and
# Xen_LIBRARIES. By linking: a 32-bit build finds no 32-bit libraries, whatever the headers say.
include(CheckIncludeFile)
include(CheckLibraryExists)
include(FindPackageHandleStandardArgs)

foreach(name xengnttab xenevtchn xenstore)
  check_include_file(${name}.h Xen_${name}_HEADER)
endforeach()
check_library_exists(xengnttab xengnttab_grant_copy "" Xen_xengnttab)
check_library_exists(xenevtchn xenevtchn_open "" Xen_xenevtchn)
check_library_exists(xenstore xs_fileno "" Xen_xenstore)
find_package_handle_standard_args(Xen REASON_FAILURE_MESSAGE "Debian has them in libxen-dev."
  REQUIRED_VARS Xen_xengnttab Xen_xenevtchn Xen_xenstore
                Xen_xengnttab_HEADER Xen_xenevtchn_HEADER Xen_xenstore_HEADER)
set(Xen_LIBRARIES xengnttab xenevtchn xenstore)
