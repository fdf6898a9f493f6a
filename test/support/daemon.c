/* SPDX-License-Identifier: MIT */

/* A thread reads the daemon's log until it ends. `lock` guards what it found. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon.h"

struct daemon {
    pid_t pid;
    FILE *log;
    pthread_t reader;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int listening;
    int ended;
};

static int is_worth_showing(const char *line)
{
    return strstr(line, "event=") == NULL || strstr(line, " ERROR ") != NULL ||
           strstr(line, " WARNING ") != NULL || getenv("FSIF_TEST_LOG") != NULL;
}

static void *read_log(void *arg)
{
    struct daemon *d = arg;
    char line[2048];

    while (fgets(line, sizeof(line), d->log) != NULL) {
        if (is_worth_showing(line))
            fprintf(stderr, "daemon: %s", line);
        if (strstr(line, "event=listening") == NULL)
            continue;
        pthread_mutex_lock(&d->lock);
        d->listening = 1;
        pthread_cond_broadcast(&d->changed);
        pthread_mutex_unlock(&d->lock);
    }
    pthread_mutex_lock(&d->lock);
    d->ended = 1;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

static pid_t spawn(char *const argv[], int log)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    /* A test that dies takes its daemon along. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || dup2(log, STDERR_FILENO) < 0)
        _exit(126);
    execv(argv[0], argv);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

struct daemon *daemon_start(char *const argv[])
{
    struct daemon *d = calloc(1, sizeof(*d));
    int fds[2], ready;

    if (d == NULL || pipe2(fds, O_CLOEXEC) != 0)
        abort();
    d->pid = spawn(argv, fds[1]);
    close(fds[1]);
    d->log = fdopen(fds[0], "r");
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    if (d->pid < 0 || d->log == NULL || pthread_create(&d->reader, NULL, read_log, d) != 0)
        abort();
    pthread_mutex_lock(&d->lock);
    while (!d->listening && !d->ended)
        pthread_cond_wait(&d->changed, &d->lock);
    ready = d->listening;
    pthread_mutex_unlock(&d->lock);
    if (ready)
        return d;
    fprintf(stderr, "%s ended with %d\n", argv[0], daemon_stop(d));
    return NULL;
}

int daemon_children(const struct daemon *d)
{
    char path[64];
    int n = 0, pid;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)d->pid, (int)d->pid);
    f = fopen(path, "re");
    if (f == NULL)
        return 0;
    while (fscanf(f, "%d", &pid) == 1)
        n++;
    fclose(f);
    return n;
}

static int end_by(struct daemon *d, int signal)
{
    int status = 0;

    kill(d->pid, signal);
    while (waitpid(d->pid, &status, 0) < 0 && errno == EINTR)
        ;
    pthread_join(d->reader, NULL);
    fclose(d->log);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int daemon_stop(struct daemon *d)
{
    return end_by(d, SIGTERM);
}

void daemon_kill(struct daemon *d)
{
    end_by(d, SIGKILL);
}
