/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <fsif/fsif.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "options.h"
#include "supervisor.h"
#include "worker.h"

/* Descriptors 0 to 2 exist, and what our starter left open goes to no worker. */
static int tidy_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
        if (fd < 0)
            return -1;
    } while (fd <= STDERR_FILENO);
    close(fd);
    /* Where the kernel has no such call the starter's descriptors are the starter's business. */
    (void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    return 0;
}

static void tidy_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int serve(int argc, char **argv)
{
    struct fsi_options options;
    struct fsi_error err = {""};
    enum fsi_command command;
    int code = FSI_EXIT_OK;

    fsi_options_init(&options);
    if (fsi_command_line(argc, argv, &options, &command, &err)) {
        code = FSI_EXIT_USAGE;
    } else if (command == FSI_COMMAND_HELP) {
        fputs(fsi_usage, stdout);
    } else if (command == FSI_COMMAND_VERSION) {
        printf("fsif-backend %d.%d.%d\n", FSIF_VERSION_MAJOR, FSIF_VERSION_MINOR,
               FSIF_VERSION_PATCH);
    } else {
        code = fsi_supervisor_run(&options, &err);
    }
    if (err.text[0])
        fprintf(stderr, "fsif-backend: %s\n", err.text);
    fsi_options_fini(&options);
    return code;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && !strcmp(argv[1], FSI_WORKER_ARGUMENT))
        return fsi_worker_main(argc >= 3 ? argv[2] : NULL);
    if (tidy_descriptors()) {
        fprintf(stderr, "fsif-backend: cannot open /dev/null\n");
        return FSI_EXIT_RUNTIME;
    }
    tidy_signals();
    return serve(argc, argv);
}
