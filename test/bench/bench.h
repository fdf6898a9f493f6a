/* SPDX-License-Identifier: MIT */
#ifndef TEST_BENCH_H
#define TEST_BENCH_H

/*
 * One piece of work done through several targets: plain system calls, the same calls confined, a
 * libfsif session, and peers. A target is a table of operations, in a file of its own, that starts
 * and stops what it talks to.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_DEPTH 32u /* requests under way in read_deep */
#define BENCH_SMALL 4096u
#define BENCH_BIG (1u << 20)
#define BENCH_PATH 4096u
#define BENCH_DONE 1 /* start(): it cannot run here */

/* What a run works on, the same for every target. */
struct bench_place {
    char *dir;     /* scratch: sockets, mount points, logs */
    char *data;    /* what is exported: files.c fills it */
    char *backend; /* programs; NULL: not there */
    char *virtiofsd;
    char *fuse_ll;
    char *fuse_fh;
    char *diod;
    char *sftp;
    char *ganesha;
    int client_cpu; /* or BENCH_ANY_CPU */
    int server_cpu;
    uint64_t file_size; /* of data/big, which is read, and data/out */
    unsigned names;     /* in data/many: f000000 ... */
    unsigned smalls;    /* in data/small, each BENCH_SMALL long */
    unsigned spin_us;   /* of our client; UINT32_MAX: its default */
    char why[256];      /* start() returned BENCH_DONE: why */
};

/*
 * The operations. Each returns 0, bytes or a number of entries, or a negative errno. A member that
 * is NULL is work that the target cannot do. Paths are relative to the exported directory and have
 * at most one slash.
 */
struct bench_ops {
    const char *name;
    int (*start)(struct bench_place *place, void **self); /* 0; BENCH_DONE; negative */
    void (*stop)(void *self);
    int64_t (*nop)(void *self);
    /* of data/big, which nobody has open for writing, and of data/out */
    int64_t (*read)(void *self, void *buf, size_t len, uint64_t off);
    int64_t (*write)(void *self, const void *buf, size_t len, uint64_t off);
    int64_t (*read_lent)(void *self, size_t len, uint64_t off); /* the data is used where it is */
    int64_t (*write_lent)(void *self, size_t len, uint64_t off);
    /* @n reads of BENCH_SMALL with BENCH_DEPTH under way */
    int64_t (*read_deep)(void *self, void *buf, const uint64_t *off, unsigned n);
    int64_t (*stat)(void *self, const char *path);
    int64_t (*open_close)(void *self, const char *path);
    int64_t (*create)(void *self, const char *path); /* a new file, closed again */
    int64_t (*remove)(void *self, const char *path);
    int64_t (*list)(void *self, const char *path); /* entries without "." and ".." */
    int64_t (*list_attr)(void *self, const char *path);
    int64_t (*read_file)(void *self, const char *path, void *buf, size_t len);
};

extern const struct bench_ops bench_plain, bench_confined, bench_ours, bench_virtiofsd,
    bench_virtiofsd_spin, bench_fuse, bench_diod, bench_sftp, bench_ganesha;

/* --- what targets share --- */

uint64_t bench_now_ns(void);

/** bench_relax - inside a loop that waits for another core */
void bench_relax(void);

/** bench_pin - run this thread on @cpu only; BENCH_ANY_CPU: where the process could at its start */
#define BENCH_ANY_CPU (-1)
void bench_pin(int cpu);

/** bench_die - print and exit; children end with this process */
__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);

/**
 * bench_spawn - start a program on @cpu that dies with this process
 *
 * @in, @out: descriptors for its standard input and output, borrowed; -1: /dev/null and the log
 * Return: its pid
 */
pid_t bench_spawn(const struct bench_place *place, char *const argv[], int cpu, int in, int out);

/** bench_kill, bench_reap - end a child: SIGKILL at once; SIGTERM, SIGKILL two seconds later */
void bench_kill(pid_t pid);
void bench_reap(pid_t pid);

/** bench_connect - to a unix socket that a child @pid is about to make. Return: fd, or negative */
int bench_connect(const char *path, pid_t pid);

/** bench_send, bench_receive - all of it. Return: 0, or negative */
int bench_send(int fd, const void *buf, size_t len);
int bench_receive(int fd, void *buf, size_t len);

/** bench_why - @place cannot run this target. Return: BENCH_DONE */
__attribute__((format(printf, 2, 3))) int bench_why(struct bench_place *place, const char *format,
                                                    ...);

/** bench_failed - the same for a peer that was started, with the log's last line */
int bench_failed(struct bench_place *place, const char *name);

void *bench_alloc(size_t size); /* zeroed; never NULL */

/** bench_files - make the tree that the targets work on */
void bench_files(const struct bench_place *place);

#endif
