/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "bench.h"

enum { START_MS = 10000, STOP_MS = 2000 };

uint64_t bench_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void bench_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void bench_die(const char *format, ...)
{
    va_list ap;

    fflush(stdout);
    fprintf(stderr, "fsif-bench: ");
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fprintf(stderr, "\n");
    exit(1);
}

int bench_why(struct bench_place *place, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(place->why, sizeof(place->why), format, ap);
    va_end(ap);
    return BENCH_DONE;
}

int bench_failed(struct bench_place *place, const char *name)
{
    char path[BENCH_PATH], line[128], last[128] = "it says nothing";
    FILE *f;

    snprintf(path, sizeof(path), "%s/log", place->dir);
    f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strcspn(line, "\n") > 0)
            snprintf(last, sizeof(last), "%.*s", (int)strcspn(line, "\n"), line);
    if (f != NULL)
        fclose(f);
    return bench_why(place, "%s did not start: %s", name, last);
}

void *bench_alloc(size_t size)
{
    void *p = calloc(1, size);

    if (p == NULL)
        bench_die("no memory");
    return p;
}

void bench_pin(int cpu)
{
    static cpu_set_t all;
    cpu_set_t set;

    if (CPU_COUNT(&all) == 0 && sched_getaffinity(0, sizeof(all), &all) != 0)
        bench_die("no affinity");
    set = all;
    if (cpu != BENCH_ANY_CPU) {
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
    }
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        bench_die("cpu %d: %s", cpu, strerror(errno));
}

static void run_child(char *const argv[], int cpu, int in, int out, int log)
{
    bench_pin(cpu);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out >= 0 ? out : log, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        _exit(126);
    execvp(argv[0], argv);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

pid_t bench_spawn(const struct bench_place *place, char *const argv[], int cpu, int in, int out)
{
    pid_t parent = getpid();
    char path[BENCH_PATH];
    int nothing, log;
    pid_t pid;

    snprintf(path, sizeof(path), "%s/log", place->dir);
    log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid = fork();
    if (log < 0 || nothing < 0 || pid < 0)
        bench_die("%s: %s", argv[0], strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(126);
        run_child(argv, cpu, in >= 0 ? in : nothing, out, log);
    }
    close(log);
    close(nothing);
    return pid;
}

static void pause_ms(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

void bench_kill(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

void bench_reap(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGTERM);
    for (int i = 0; i < STOP_MS; i++) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return;
        pause_ms();
    }
    bench_kill(pid);
}

int bench_connect(const char *path, pid_t pid)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (strlen(path) >= sizeof(to.sun_path))
        bench_die("%s: too long for a socket", path);
    strcpy(to.sun_path, path);
    for (int i = 0; i < START_MS; i++) {
        if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
            return fd;
        if (waitpid(pid, NULL, WNOHANG) != 0)
            break;
        pause_ms();
    }
    close(fd);
    return -ECONNREFUSED;
}

int bench_send(int fd, const void *buf, size_t len)
{
    const char *p = buf;

    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EPIPE;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int bench_receive(int fd, void *buf, size_t len)
{
    char *p = buf;

    while (len > 0) {
        ssize_t n = recv(fd, p, len, MSG_WAITALL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EPIPE;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}
