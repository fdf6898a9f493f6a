# SPDX-License-Identifier: MIT
# A 32-bit x86 build on an x86-64 Debian: gcc -m32 with libc6-dev-i386 and lib32gcc-12-dev.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR i386)
set(CMAKE_C_COMPILER gcc)
# <asm/*.h> is the same for both; only gcc-multilib, which we do without, links it into place.
set(CMAKE_C_FLAGS_INIT "-m32 -idirafter /usr/include/x86_64-linux-gnu")
# The programs run here as they are.
set(CMAKE_CROSSCOMPILING_EMULATOR "")
