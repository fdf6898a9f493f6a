/* SPDX-License-Identifier: MIT */
/*
 * The first request after 10 ms in which nothing happened, beside what the machine itself takes to
 * wake another process on the server's cpu and be woken by it: a round trip of two eventfds, after
 * the same silence, taken alternately.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "ours.h"
#include "scale.h"

enum { SILENCE_MS = 10, PAIRS = 50, PAIRS_QUICK = 15 };

struct echo {
    pid_t pid;
    int cpu;
    int ask;
    int answer;
};

/* Until it is told 2. */
static void echo_run(const struct echo *e)
{
    const uint64_t one = 1;
    uint64_t count = 0;

    bench_pin(e->cpu);
    while (read(e->ask, &count, sizeof(count)) == sizeof(count) && count < 2)
        if (write(e->answer, &one, sizeof(one)) != sizeof(one))
            break;
}

static void echo_start(struct echo *e, int cpu)
{
    e->cpu = cpu;
    e->ask = eventfd(0, EFD_CLOEXEC);
    e->answer = eventfd(0, EFD_CLOEXEC);
    e->pid = e->ask < 0 || e->answer < 0 ? -1 : fork();
    if (e->pid < 0)
        bench_die("no process for the machine's own wake-up");
    if (e->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        echo_run(e);
        _exit(0);
    }
}

static void echo_trip(struct echo *e)
{
    uint64_t count = 1;

    if (write(e->ask, &count, sizeof(count)) != sizeof(count) ||
        read(e->answer, &count, sizeof(count)) != sizeof(count))
        bench_die("no answer from the other cpu");
}

static void echo_stop(struct echo *e)
{
    const uint64_t two = 2;

    if (write(e->ask, &two, sizeof(two)) != sizeof(two))
        bench_die("eventfd");
    waitpid(e->pid, NULL, 0);
    close(e->ask);
    close(e->answer);
}

static void silence(void)
{
    nanosleep(&(struct timespec){.tv_nsec = SILENCE_MS * 1000000L}, NULL);
}

static double request(struct fsif_client *cl, int fh)
{
    struct fsif_attr attr;
    uint64_t start = bench_now_ns();

    if (fsif_fstat(cl, fh, &attr) != 0)
        bench_die("fstat after silence");
    return (double)(bench_now_ns() - start);
}

static double trip(struct echo *e)
{
    uint64_t start = bench_now_ns();

    echo_trip(e);
    return (double)(bench_now_ns() - start);
}

/* A client that polls as it likes, one that always sleeps at once, and the machine */
void scale_silence(struct scale *s)
{
    struct samples ours = {0}, asleep = {0}, machine = {0};
    struct bench_place at_once = *s->place;
    struct fsif_client *cl, *cl_asleep;
    struct ours_daemon d;
    struct echo e;
    int fh, fh_asleep;

    at_once.spin_us = 0;
    if (ours_daemon_start(s->place, "silence", "", &d) != 0 ||
        ours_connect(s->place, &d, &cl) != 0 || ours_connect(&at_once, &d, &cl_asleep) != 0)
        bench_die("no session");
    fh = fsif_open(cl, "big", FSIF_O_RDONLY, 0);
    fh_asleep = fsif_open(cl_asleep, "big", FSIF_O_RDONLY, 0);
    if (fh < 0 || fh_asleep < 0)
        bench_die("open: %s", strerror(-(fh < 0 ? fh : fh_asleep)));
    echo_start(&e, s->place->server_cpu);
    for (int i = 0; i < (s->quick ? PAIRS_QUICK : PAIRS); i++) {
        silence();
        samples_add(&ours, request(cl, fh));
        silence();
        samples_add(&machine, trip(&e));
        silence();
        samples_add(&asleep, request(cl_asleep, fh_asleep));
    }
    echo_stop(&e);
    fsif_disconnect(cl);
    fsif_disconnect(cl_asleep);
    ours_daemon_stop(&d);
    json_begin(s->json, NULL, '{');
    json_text(s->json, "what", "silence");
    json_text(s->json, "mode", s->mode);
    json_samples(s->json, "ours_ns", &ours);
    json_samples(s->json, "asleep_ns", &asleep);
    json_samples(s->json, "machine_ns", &machine);
    json_end(s->json, '}');
}
