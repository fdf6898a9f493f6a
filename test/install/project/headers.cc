/* SPDX-License-Identifier: MIT */
/* Every installed header in one C++ program, and a call into each library. */
#include <fsif/client.h>
#include <fsif/fsif.h>
#include <fsif/host.h>
#include <fsif/loop.h>
#include <fsif/memory.h>
#include <fsif/posix.h>
#include <fsif/shm.h>

#include <cstdio>
#include <cstring>

int main()
{
    fsif_client_options o;

    fsif_client_options_init(&o);
    std::printf("%s, %s\n", fsif_op_name(FSIF_OP_OPEN), fsif_strerror(FSIF_ENOENT));
    return o.size == sizeof(o) && std::strcmp(fsif_op_name(FSIF_OP_OPEN), "open") == 0 ? 0 : 1;
}
