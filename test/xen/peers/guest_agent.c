/* SPDX-License-Identifier: MIT */
/*
 * guest-agent: carries out in a guest what dom0 writes to the node data/rig/command, one command at
 * a time, "NUMBER COMMAND", for a shell. Each number once; the answer is "NUMBER EXITCODE" in
 * data/rig/result, with the end of the output in data/rig/output. guest-ask is its other side.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"

#define TOLD 1500u /* octets of output; a node holds less than 4096 */

static void run_shell(const char *command, int output)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        fatal("a command's files");
    close_range(3, ~0u, 0);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    fatal("sh");
}

/* What other commands left behind ends here, too: we are the first process. Return: what a shell
 * would call its exit code */
static int run(const char *command, int output)
{
    pid_t pid = fork(), ended;
    int status;

    if (pid < 0)
        fatal("fork");
    if (pid == 0)
        run_shell(command, output);
    do {
        ended = waitpid(-1, &status, 0);
    } while (ended > 0 && ended != pid);
    if (ended != pid)
        fatal("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* All of it to the console, the end of it into @end, without what no node may hold */
static size_t show(int output, char *end)
{
    char block[4096];
    off_t size = lseek(output, 0, SEEK_END), from = size > (off_t)TOLD ? size - (off_t)TOLD : 0;
    ssize_t n;

    if (lseek(output, 0, SEEK_SET) < 0)
        fatal("output");
    while ((n = read(output, block, sizeof(block))) > 0)
        fwrite(block, 1, (size_t)n, stdout);
    n = pread(output, end, TOLD, from);
    if (n < 0)
        fatal("output");
    for (ssize_t i = 0; i < n; i++) {
        if (end[i] != '\n' && (end[i] < ' ' || end[i] > '~'))
            end[i] = '?';
    }
    return (size_t)n;
}

static void answer(struct xs_handle *xs, unsigned long number, const char *command)
{
    int output = open("/run/output", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), code;
    char end[TOLD];
    size_t len;

    if (output < 0)
        fatal("/run/output");
    printf("[%lu] %s\n", number, command);
    code = run(command, output);
    len = show(output, end);
    printf("[%lu] exit %d\n", number, code);
    close(output);
    if (!xs_write(xs, XBT_NULL, "data/rig/output", end, (unsigned)len))
        fatal("data/rig/output");
    xs_put(xs, XBT_NULL, "data/rig/result", "%lu %d", number, code);
}

int main(void)
{
    struct xs_handle *xs = xs_open(0);
    unsigned long done = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!xs || !xs_watch(xs, "data/rig/command", "command"))
        fatal("xenstore");
    xs_put(xs, XBT_NULL, "data/rig/ready", "1");
    puts("GUEST-UP");
    for (;;) {
        const char *told = xs_get(xs, "data/rig/command");
        unsigned long number;
        char *command, *rest;

        if (told && (number = strtoul(told, &rest, 10)) > done && *rest == ' ') {
            done = number;
            command = strdup(rest + 1);
            if (!command)
                fatal("memory");
            answer(xs, number, command);
            free(command);
        }
        while (!xs_wait(xs, 3600000))
            ;
    }
}
