/* SPDX-License-Identifier: MIT */
/*
 * The handshake, in the worker, before any request can come:
 *
 *   hello --> offers --exports--> ask the supervisor, answer the page ----> offers
 *               |   \--session, no such export --> answer the error ------> offers
 *               |--session--> memory, ring, store, engine, answer with bells --> running
 *               '--malformed, too slow, gone, drain --> end
 *
 * Everything here runs on the main thread with a deadline. Until the supervisor has answered
 * message=export the process holds nothing of any export.
 */
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include "builtin.h"
#include "guard.h"

/* Offers that one connection may make: pages of a long listing, then a session. */
#define MAX_OFFERS 2048u
#define MAX_STREAMS 16u
/* Descriptors beside open files: four for each queue, sockets, listings, and what each store keeps
 * open itself */
#define FDS_BESIDE_HANDLES 1024u

enum wake {
    WAKE_PEER = 1,
    WAKE_CONTROL = 2,
    WAKE_LATE = 4,
};

/* Wait until the peer or the supervisor has something to say. */
static int wait_both(int peer_fd, int control, uint64_t deadline)
{
    struct pollfd fds[2] = {
        {.fd = peer_fd, .events = POLLIN},
        {.fd = control, .events = POLLIN},
    };

    for (;;) {
        uint64_t now = fsif_now_ms();
        if (now >= deadline)
            return WAKE_LATE;
        int n = poll(fds, 2, (int)(deadline - now));
        if (n < 0 && errno != EINTR)
            return WAKE_CONTROL;
        if (n > 0)
            return (fds[0].revents ? WAKE_PEER : 0) | (fds[1].revents ? WAKE_CONTROL : 0);
    }
}

void fsi_session_report(struct fsi_session *s, const char *event, const char *reason)
{
    struct fsif_dict message;

    if (!fsi_message_report(&message, event, reason))
        (void)fsi_control_send(s->control, &message, -1);
}

enum fsi_end fsi_session_import(struct fsi_session *s, const char *plugin_dir)
{
    struct fsif_dict message;
    int fds[FSIF_EXPORT_FDS];
    int rc;

    if (fsif_wait_fd(s->control, POLLIN, 10000) <= 0 ||
        fsi_control_receive(s->control, &message, NULL) || fsi_hello_read(&message, &s->hello))
        return FSI_END_CONTROL;
    s->log.level = (int)s->hello.log_level;
    for (uint32_t i = 0; i < s->hello.nfds; i++)
        fds[i] = FSI_WORKER_TRANSPORT + (int)i;
    rc = fsi_common_map(FSI_WORKER_COMMON, s->hello.spinners, &s->common);
    close(FSI_WORKER_COMMON);
    if (!rc)
        rc = fsi_builtin_registry(plugin_dir, &s->registry);
    if (!rc)
        rc = fsif_registry_transport(s->registry, s->hello.transport, &s->transport);
    if (!rc)
        rc = s->transport->session_import(fds, s->hello.nfds, s->hello.blob, s->hello.blob_len,
                                          &s->peer);
    if (rc) {
        fsi_session_report(s, "import-failed", fsif_strerror(rc));
        return FSI_END_FAILED;
    }
    return FSI_END_OK;
}

/* Ask the supervisor and wait for its answer; the peer must wait too. */
static int ask(struct fsi_session *s, const char *word, const char *name, uint64_t deadline,
               struct fsif_dict *answer, int *fd)
{
    int rc = fsi_message_ask(answer, word, name);

    if (!rc)
        rc = fsi_control_send(s->control, answer, -1);
    while (!rc) {
        if (wait_both(-1, s->control, deadline) & WAKE_LATE)
            return -FSIF_ETIMEDOUT;
        rc = fsi_control_receive(s->control, answer, fd);
        if (rc == -FSIF_EAGAIN)
            rc = 0;
        else if (!rc && fsi_message_is_answer(answer))
            return 0;
        else if (!rc)
            rc = -FSIF_ECANCELED;
    }
    /* The daemon stops, or is gone. */
    s->stop = 1;
    return rc;
}

static int answer_status(struct fsi_session *s, int32_t status)
{
    struct fsif_choice choice = {.status = status};
    struct fsif_dict answer;
    int rc = fsif_choice_write(&choice, &answer);

    return rc ? rc : s->transport->session_answer(s->peer, &answer, 0);
}

static enum fsi_end answer_exports(struct fsi_session *s, const struct fsif_offer *offer,
                                   uint64_t deadline)
{
    struct fsif_dict page;
    int rc = ask(s, "exports", offer->export_name, deadline, &page, NULL);

    if (rc == -FSIF_ETIMEDOUT)
        return FSI_END_TIMEOUT;
    if (rc)
        return rc == -FSIF_ECANCELED ? FSI_END_OK : FSI_END_CONTROL;
    rc = s->transport->session_answer(s->peer, &page, 0);
    return rc == 0 || rc == -FSIF_EPIPE ? FSI_END_OK : FSI_END_HANDSHAKE;
}

static void raise_nofile(uint32_t handles)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)handles + FDS_BESIDE_HANDLES;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted) {
        struct rlimit both = {wanted, wanted};
        if (setrlimit(RLIMIT_NOFILE, &both) == 0)
            return;
        limit.rlim_cur = limit.rlim_max;
    }
    /* With fewer descriptors than handles the store answers EMFILE, which a peer must expect. */
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* What the export does not have is missing, as it is in a store that cannot do it. */
static void leave_out(const struct fsi_opening *opening, struct fsif_store_ops *ops)
{
    if (opening->nolock)
        ops->lock = NULL;
    if (opening->noxattr) {
        ops->getxattr = NULL;
        ops->setxattr = NULL;
        ops->listxattr = NULL;
        ops->removexattr = NULL;
    }
}

int fsi_session_open_store(struct fsi_session *s, const struct fsi_opening *opening, int root_fd,
                           struct fsif_store_ops *ops, struct fsif_store **store)
{
    struct fsif_store_config config = opening->config;
    const struct fsif_store_ops *all;
    int rc = fsif_registry_store(s->registry, opening->store, &all);

    config.root_fd = root_fd;
    /* The peer's worker does not learn where on the host its export lies. */
    config.source = root_fd >= 0 ? opening->name : opening->source;
    config.copy = fsi_guarded_copy;
    config.moves = fsi_moves_add;
    config.moves_arg = fsi_moves_of(&s->common, opening->name);
    if (!rc)
        rc = all->create(&config, store);
    if (rc && root_fd >= 0)
        close(root_fd);
    if (rc)
        return rc;
    *ops = *all;
    ops->size = sizeof(*ops);
    leave_out(opening, ops);
    return 0;
}

static void on_lock_waits(void *arg)
{
    struct fsi_session *s = arg;

    s->waiting(s->waiting_arg);
}

static void describe_engine(struct fsi_session *s, const struct fsif_choice *choice, uint32_t queue,
                            struct fsif_backend_config *config)
{
    memset(config, 0, sizeof(*config));
    config->size = sizeof(*config);
    config->dialect = choice->dialect;
    config->features = choice->features;
    config->ring = fsi_area_ring(&s->area, queue);
    config->ring_pages = s->area.ring_pages;
    config->max_handles = s->opening.max_handles;
    config->max_streams = MAX_STREAMS;
    config->queue = queue;
    config->transport = s->transport;
    config->session = s->peer;
    config->store_ops = &s->attachments.list[0].ops;
    config->store = s->attachments.list[0].store;
    config->hooks = &s->hooks;
    config->quirks = s->quirks;
    if (s->opening.strip_prefix[0])
        config->strip_prefix = s->opening.strip_prefix;
    if (choice->dialect != 3)
        return;
    config->slots = s->area.slots;
    config->arena = fsi_area_arena(&s->area);
    config->arena_pages = s->area.arena_pages;
    config->max_io = choice->max_io;
    config->max_locks = s->hello.max_locks;
    config->max_watches = s->hello.max_watches;
    config->first = queue ? &s->engines[0].backend : NULL;
    config->attach = fsi_attach_export;
    config->waiting = on_lock_waits;
    config->arg = s;
}

static int start_engine(struct fsi_session *s, const struct fsif_choice *choice, uint32_t queue)
{
    struct fsi_engine *e = &s->engines[queue];
    struct fsif_backend_config config;

    describe_engine(s, choice, queue, &config);
    e->state_size = fsif_backend_state_size(&config);
    if (!e->state_size)
        return -FSIF_EINVAL;
    e->state =
        mmap(NULL, e->state_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (e->state == MAP_FAILED) {
        e->state = NULL;
        return -FSIF_ENOMEM;
    }
    (void)madvise(e->state, e->state_size, MADV_DONTFORK);
    return fsif_backend_init(&e->backend, &config, e->state);
}

static int start_engines(struct fsi_session *s, const struct fsif_choice *choice)
{
    uint32_t queues = choice->dialect == 3 ? choice->queues : 1;
    int rc = 0;

    s->dialect = choice->dialect;
    for (uint32_t i = 0; i < queues && !rc; i++) {
        rc = start_engine(s, choice, i);
        if (!rc)
            s->nqueues++;
    }
    s->running = rc == 0;
    return rc;
}

static void fini_engines(struct fsi_session *s)
{
    s->running = 0;
    while (s->nqueues) {
        s->nqueues--;
        fsif_backend_fini(&s->engines[s->nqueues].backend);
    }
}

/* What this side allows is less than what was offered: where the answer can say so, it does. */
static int limit(const struct fsi_session *s, const struct fsif_offer *offer,
                 struct fsif_choice *choice)
{
    if (choice->dialect != 3)
        return 0;
    if (offer->slots > s->hello.max_slots || offer->arena_pages > s->hello.max_arena_pages)
        return -FSIF_E2BIG;
    if (choice->queues > s->hello.max_queues)
        choice->queues = s->hello.max_queues;
    if (choice->max_io > s->hello.max_io)
        choice->max_io = s->hello.max_io;
    return 0;
}

/* The export is the peer's to use: build the session on it and say so. */
static enum fsi_end start_session(struct fsi_session *s, const struct fsif_dict *text,
                                  const struct fsif_offer *offer, struct fsif_choice *choice,
                                  int root_fd)
{
    struct fsif_store_ops ops;
    struct fsif_store *store;
    struct fsif_dict answer;
    int rc = limit(s, offer, choice);

    if (!rc)
        rc = s->transport->session_accept_memory(s->peer, text, s->hello.max_pages);
    if (!rc)
        rc = fsi_area_map(s->transport, s->peer, offer, choice->dialect, &s->area);
    if (rc) {
        if (root_fd >= 0)
            close(root_fd);
        answer_status(s, rc);
        fsi_session_report(s, "memory-refused", fsif_strerror(rc));
        return FSI_END_HANDSHAKE;
    }
    /* Frontends of dialect 2 read the right index. */
    if (choice->dialect == 1 && fsif_dict_has_word(text, "quirks", "ring-when-idle"))
        s->quirks |= FSIF_QUIRK_RING_WHEN_IDLE;
    raise_nofile(s->opening.max_handles);
    rc = fsi_session_open_store(s, &s->opening, root_fd, &ops, &store);
    if (rc) {
        answer_status(s, -FSIF_EIO);
        fsi_session_report(s, "store-failed", fsif_strerror(rc));
        return FSI_END_STORE;
    }
    fsi_attach_first(&s->attachments, s->opening.name, &ops, store);
    choice->read_only = s->opening.config.read_only;
    rc = start_engines(s, choice);
    if (!rc)
        rc = fsif_choice_write(choice, &answer);
    if (rc) {
        answer_status(s, -FSIF_EIO);
        fsi_session_report(s, "engine-failed", fsif_strerror(rc));
        return FSI_END_FAILED;
    }
    rc = s->transport->session_answer(s->peer, &answer, (int)s->nqueues);
    if (rc) {
        fini_engines(s);
        return rc == -FSIF_EPIPE ? FSI_END_OK : FSI_END_HANDSHAKE;
    }
    return FSI_END_OK;
}

static enum fsi_end answer_session(struct fsi_session *s, const struct fsif_dict *text,
                                   const struct fsif_offer *offer, uint64_t deadline)
{
    struct fsif_choice choice;
    struct fsif_dict answer;
    int root_fd = -1;
    int rc = fsif_choose(offer, s->hello.dialects, &choice);

    if (rc)
        return answer_status(s, rc) ? FSI_END_HANDSHAKE : FSI_END_OK;
    rc = ask(s, "export", offer->export_name, deadline, &answer, &root_fd);
    if (rc == -FSIF_ETIMEDOUT)
        return FSI_END_TIMEOUT;
    if (rc == -FSIF_ECANCELED)
        return FSI_END_OK;
    if (rc || fsi_opening_read(&answer, &s->opening)) {
        if (root_fd >= 0)
            close(root_fd);
        return FSI_END_CONTROL;
    }
    if (s->opening.status)
        return answer_status(s, s->opening.status) ? FSI_END_HANDSHAKE : FSI_END_OK;
    return start_session(s, text, offer, &choice, root_fd);
}

/* Returns FSI_END_OK to go on. */
static enum fsi_end answer_offer(struct fsi_session *s, const struct fsif_dict *text,
                                 uint64_t deadline)
{
    struct fsif_offer offer;

    if (s->hello.refuse) {
        answer_status(s, -(int32_t)s->hello.refuse);
        return FSI_END_REFUSED;
    }
    if (fsif_offer_read(text, &offer)) {
        answer_status(s, -FSIF_EPROTO);
        return FSI_END_HANDSHAKE;
    }
    if (offer.kind == FSIF_OFFER_EXPORTS)
        return answer_exports(s, &offer, deadline);
    return answer_session(s, text, &offer, deadline);
}

enum fsi_end fsi_session_handshake(struct fsi_session *s)
{
    uint64_t deadline = fsif_now_ms() + (uint64_t)s->hello.handshake_timeout * 1000u;
    struct fsif_dict offer;
    uint32_t offers = 0;

    for (;;) {
        int rc = s->transport->session_next_offer(s->peer, &offer);
        enum fsi_end end;
        int wake;

        if (rc == 0) {
            if (++offers > MAX_OFFERS)
                return FSI_END_HANDSHAKE;
            end = answer_offer(s, &offer, deadline);
            if (end != FSI_END_OK || s->running || s->stop)
                return end;
            continue;
        }
        if (rc == -FSIF_EPIPE)
            return FSI_END_OK;
        if (rc != -FSIF_EAGAIN) {
            answer_status(s, -FSIF_EPROTO);
            return FSI_END_HANDSHAKE;
        }
        wake = wait_both(s->transport->peer_fd(s->peer), s->control, deadline);
        if (wake & WAKE_LATE)
            return FSI_END_TIMEOUT;
        /* Between requests the supervisor says nothing but "drain", or it is gone. */
        if (wake & WAKE_CONTROL)
            return FSI_END_OK;
    }
}

void fsi_session_fini(struct fsi_session *s)
{
    fini_engines(s);
    fsi_attach_fini(&s->attachments);
    for (uint32_t i = 0; i < FSIF_QUEUES_MAX; i++)
        if (s->engines[i].state)
            munmap(s->engines[i].state, s->engines[i].state_size);
    if (s->peer) {
        fsi_area_unmap(s->transport, s->peer, &s->area);
        s->transport->close(s->peer);
    }
    fsi_common_unmap(&s->common);
    if (s->registry)
        fsif_registry_destroy(s->registry);
}
