/* SPDX-License-Identifier: MIT */
/*
 * The worker: a process that serves one session and knows nothing of any other.
 *
 *   confine --> import --> handshake --> serve --> close --> exit code
 */
#include "worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "guard.h"
#include "sanitize.h"
#include "serve.h"

/* What can be given up before anything of a peer is read. The place for namespaces, Landlock and
 * seccomp is here too, and after the handshake for what it still needs. */
static int confine(void)
{
    struct rlimit none = {0, 0};

    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        setrlimit(RLIMIT_CORE, &none) < 0)
        return -1;
    prctl(PR_SET_NAME, "fsif-worker", 0, 0, 0);
    umask(0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    /* A write beyond RLIMIT_FSIZE is the peer's EFBIG and no reason to die. */
    signal(SIGXFSZ, SIG_IGN);
    /* A mapped file that cannot be read is neither. */
    return fsi_guard_install();
}

static int is_control_socket(int fd)
{
    int type = 0;
    socklen_t len = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

int fsi_worker_main(const char *plugin_dir)
{
    struct fsi_session *s;
    enum fsi_end end;

    if (!is_control_socket(FSI_WORKER_CONTROL)) {
        fprintf(stderr, "fsif-backend: %s is internal\n", FSI_WORKER_ARGUMENT);
        return 2;
    }
    s = calloc(1, sizeof(*s));
    if (!s || confine()) {
        free(s);
        return FSI_END_FAILED;
    }
    s->control = FSI_WORKER_CONTROL;
    fsif_log_init(&s->log, FSI_WORKER_LOG, FSIF_LOG_INFO, "fsif-backend");
    pthread_mutex_init(&s->log_lock, NULL);
    fsi_attach_init(&s->attachments);
    s->hooks.size = sizeof(s->hooks);
    end = fsi_session_import(s, plugin_dir);
    if (end == FSI_END_OK)
        end = fsi_session_handshake(s);
    if (end == FSI_END_OK && s->running)
        end = fsi_serve(s);
    fsi_session_fini(s);
    free(s);
    /* The leak checker looks at the process as a debugger does. */
    if (FSI_SANITIZED)
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    return (int)end;
}
