/* SPDX-License-Identifier: MIT */
/*
 * Reserve, publish and notify of libfsif/ring.c, one half of a ring: three submitters, any of which
 * may be stopped at any step, and a consumer that sleeps on a bell.
 *
 * Spin executes one step of one process at a time on one memory, which is sequentially consistent
 * and would hide a lost wake-up. So each process has a store buffer here: a store goes to its end,
 * a load looks there first, `flush` moves its head to memory at any time, and only a sequentially
 * consistent store and a successful read-modify-write wait until it is empty. A compare-and-swap
 * that fails is a load and waits for nothing.
 *
 * The ring has two slots; indices begin at 255 and wrap at 256. An id is taken before a slot is
 * reserved and given back when the request was consumed, so no more requests than slots are under
 * way.
 *
 * Properties: no other end than "all consumed" (a lost wake-up leaves the consumer asleep, and
 * submitters without an id); a slot is written only when its last entry was consumed; req_prod
 * moves forward only, and over slots that are filled; the consumer finds in each slot what its
 * submitter wrote.
 *
 * Mutants, by -D: NO_BARRIER_READY, _PROD, _EVENT, _TOKEN (the store waits for nothing),
 * NO_LOOK_AGAIN (publisher), NO_RECHECK (consumer), NO_ID_BOUND (an id more than slots), NO_TOKEN
 * (everybody publishes), NO_RESERVE (a load and a store in place of the fetch-and-add).
 */
#define SUBMITTERS 3
#define CONSUMER 3
#define PROCESSES 4
#define SLOTS 2
#define FIRST 255
#define MOD(x) ((x) & 255)
#define AT_SLOT(index) ((index) & (SLOTS - 1))

#ifdef NO_ID_BOUND
#define IDS (SLOTS + 1)
#else
#define IDS SLOTS
#endif

/* Memory: addresses 0 .. 8 */
#define READY 0 /* 0 and 1 */
#define SLOT 2  /* 2 and 3 */
#define PROD 4
#define EVENT 5
#define TOKEN 6
#define PUBLISHED 7
#define RESERVED 8
byte mem[9];

/* Store buffers, oldest first */
#define DEPTH 3
byte addr[12];
byte val[12];
byte depth[PROCESSES];
#define ADDR(p, i) addr[(p) * DEPTH + (i)]
#define VAL(p, i) val[(p) * DEPTH + (i)]
#define EMPTY(p) (depth[p] == 0)

bool bell;
byte ids = IDS;
byte cons = FIRST; /* the consumer's own index */

inline store(p, a, v)
{
    d_step {
        depth[p] < DEPTH;
        ADDR(p, depth[p]) = a;
        VAL(p, depth[p]) = v;
        depth[p]++
    }
}

inline load(p, a, v)
{
    d_step {
        if
        :: depth[p] >= 3 && ADDR(p, 2) == a -> v = VAL(p, 2)
        :: else
            if
            :: depth[p] >= 2 && ADDR(p, 1) == a -> v = VAL(p, 1)
            :: else
                if
                :: depth[p] >= 1 && ADDR(p, 0) == a -> v = VAL(p, 0)
                :: else -> v = mem[a]
                fi
            fi
        fi
    }
}

inline compare_and_swap(p, a, from, to, done)
{
    if
    :: d_step { EMPTY(p) && mem[a] == from -> mem[a] = to; done = 1 }
    :: d_step { EMPTY(p) && mem[a] != from -> done = 0 }
    :: d_step { !EMPTY(p) && mem[a] != from && ADDR(p, 0) != a && ADDR(p, 1) != a &&
                ADDR(p, 2) != a -> done = 0 }
    fi
}

/* The head of a buffer reaches memory, where everybody sees it. */
inline flush_one(p)
{
    d_step {
        depth[p] > 0;
        if
        :: ADDR(p, 0) == PROD ->
            assert(MOD(VAL(p, 0) - mem[PROD]) <= SLOTS); /* never back */
            assert(VAL(p, 0) == mem[PROD] || mem[SLOT + AT_SLOT(mem[PROD])] == mem[PROD]);
            assert(MOD(VAL(p, 0) - mem[PROD]) < 2 ||
                   mem[SLOT + AT_SLOT(mem[PROD] + 1)] == MOD(mem[PROD] + 1)) /* no hole */
        :: ADDR(p, 0) == SLOT || ADDR(p, 0) == SLOT + 1 ->
            assert(MOD(VAL(p, 0) - cons) < SLOTS) /* not in use */
        :: else
        fi;
        mem[ADDR(p, 0)] = VAL(p, 0);
        ADDR(p, 0) = ADDR(p, 1);
        VAL(p, 0) = VAL(p, 1);
        ADDR(p, 1) = ADDR(p, 2);
        VAL(p, 1) = VAL(p, 2);
        ADDR(p, 2) = 0;
        VAL(p, 2) = 0;
        depth[p]--
    }
}

proctype flush()
{
end:
    do
    :: flush_one(0)
    :: flush_one(1)
    :: flush_one(2)
    :: flush_one(3)
    od
}

proctype submitter(byte p)
{
    byte index, old, pub, seen;
    bool notify;

    d_step { ids > 0 -> ids-- }

    /* reserve */
#ifdef NO_RESERVE
    load(p, RESERVED, index);
    store(p, RESERVED, MOD(index + 1));
    EMPTY(p);
#else
    d_step { EMPTY(p) -> index = mem[RESERVED]; mem[RESERVED] = MOD(index + 1) }
#endif

    /* fill, ready */
    store(p, SLOT + AT_SLOT(index), index);
    store(p, READY + AT_SLOT(index), index);
#ifndef NO_BARRIER_READY
    EMPTY(p);
#endif

publish:
#ifdef NO_TOKEN
    seen = 1;
#else
    compare_and_swap(p, TOKEN, 0, 1, seen);
#endif
    if
    :: seen == 0 -> goto leave
    :: else
    fi;
    load(p, PUBLISHED, old);
    pub = old;
    do
    :: load(p, READY + AT_SLOT(pub), seen);
        if
        :: seen == pub && MOD(pub - old) < SLOTS -> pub = MOD(pub + 1)
        :: else -> break
        fi
    od;
    if
    :: pub != old ->
        store(p, PUBLISHED, pub);
        store(p, PROD, pub);
#ifndef NO_BARRIER_PROD
        EMPTY(p);
#endif
        load(p, EVENT, seen);
        notify = notify || MOD(pub - seen) < MOD(pub - old)
    :: else
    fi;
    store(p, TOKEN, 0);
#ifndef NO_BARRIER_TOKEN
    EMPTY(p);
#endif
#ifndef NO_LOOK_AGAIN
    load(p, READY + AT_SLOT(pub), seen);
    if
    :: seen == pub -> goto publish
    :: else
    fi;
#endif

leave:
    skip;
    d_step { /* forget, so that fewer states differ */
        index = 0;
        old = 0;
        pub = 0;
        seen = 0
    }
    if
    :: notify -> bell = 1
    :: else
    fi
}

proctype consumer()
{
    byte seen;

    do
    :: cons == MOD(FIRST + SUBMITTERS) -> break
    :: else ->
        load(CONSUMER, PROD, seen);
        if
        :: seen != cons ->
            load(CONSUMER, SLOT + AT_SLOT(cons), seen);
            assert(seen == cons);
            d_step { cons = MOD(cons + 1); ids++ }
        :: else ->
            store(CONSUMER, EVENT, MOD(cons + 1));
#ifndef NO_BARRIER_EVENT
            EMPTY(CONSUMER);
#endif
#ifndef NO_RECHECK
            load(CONSUMER, PROD, seen);
#endif
            if
            :: seen == cons -> d_step { bell -> bell = 0 } /* sleep */
            :: else
            fi
        fi
    od
}

init
{
    d_step {
        mem[READY + AT_SLOT(FIRST)] = FIRST - SLOTS;
        mem[READY + AT_SLOT(FIRST + 1)] = FIRST + 1 - SLOTS;
        mem[SLOT + AT_SLOT(FIRST)] = FIRST - SLOTS;
        mem[SLOT + AT_SLOT(FIRST + 1)] = FIRST + 1 - SLOTS;
        mem[PROD] = FIRST;
        mem[EVENT] = MOD(FIRST + 1);
        mem[PUBLISHED] = FIRST;
        mem[RESERVED] = FIRST
    }
    atomic {
        run flush();
        run submitter(0);
        run submitter(1);
        run submitter(2);
        run consumer()
    }
}
