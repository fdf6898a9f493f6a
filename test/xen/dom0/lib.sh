# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# What scenarios use. A scenario is a script of dom0's that is sourced after this file and runs
# under set -e; it passes if it comes to its end. `# timeout: SECONDS` in it limits it (120).
set -e
backend_log=/run/rig/backend.log

fail() {
    echo "$*"
    exit 1
}

skip() {
    echo "$*" >/run/rig/why
    exit 77
}

# note TEXT: a line below the result
note() {
    echo "$*" >>/run/rig/notes
}

# count SMALL LARGE: the second with --full
count() {
    if [ -n "$RIG_FULL" ]; then echo "$2"; else echo "$1"; fi
}

# within SECONDS COMMAND...: until it succeeds
within() {
    tries=$(($1 * 5))
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.2
    done
}

# wait_for SECONDS COMMAND...: the same for what need not be quick, with room for a slow machine
wait_for() {
    patience=$(($1 * 3))
    shift
    within "$patience" "$@"
}

# await_node PATH SECONDS [VALUE]: until the node is there, and has the value
await_node() {
    guest-ask node "$1" $(($2 * 3)) ${3+"$3"}
}

# --- guests ----------------------------------------------------------------------------------

# domid NAME. xl takes long to start on an emulated processor, so a number is kept while xenstore
# has a domain of that number and name.
domid() {
    known=
    [ ! -e /run/rig/id."$1" ] || read -r known </run/rig/id."$1"
    if [ "$(xenstore-read "/local/domain/$known/name" 2>/dev/null)" != "$1" ]; then
        known=$(xl domid "$1" 2>/dev/null) || return 1
        echo "$known" >/run/rig/id."$1"
    fi
    echo "$known"
}

# guest_create NAME [MIB [LINE]]: started paused, so that it can be attached before it runs
guest_create() {
    cat >/run/rig/"$1".cfg <<END
name="$1"
kernel="/guest/vmlinuz"
ramdisk="/guest/initrd.gz"
memory=${2:-224}
vcpus=1
extra="console=hvc0 quiet panic=-1"
on_crash="preserve"
${3-}
END
    xl create -p -q /run/rig/"$1".cfg
}

guest_boot() {
    xl unpause "$1"
    await_node "/local/domain/$(domid "$1")/data/rig/ready" 60 1 || fail "guest $1 did not come up"
}

# guest NAME: make sure that it runs
guest() {
    domid "$1" >/dev/null && return 0
    guest_create "$1"
    guest_boot "$1"
}

# to_guest begin|end|run NAME ARGUMENT...: the number that its last command has goes with it
to_guest() {
    what=$1
    name=$2
    shift 2
    number=0
    [ ! -e /run/rig/number."$name" ] || read -r number </run/rig/number."$name"
    if [ "$what" != end ]; then
        number=$((number + 1))
        echo $number >/run/rig/number."$name"
    fi
    [ -e /run/rig/id."$name" ] || fail "there is no guest $name"
    read -r id </run/rig/id."$name"
    code=0
    guest-ask "$what" "$id" "$name" "$number" "$@" || code=$?
    [ $code -lt 253 ] || fail "guest $name does not answer"
    return $code
}

# guest_begin NAME COMMAND: let a guest run a command and go on
guest_begin() {
    echo "$1: $2"
    to_guest begin "$1" "$2"
}

# guest_end NAME [SECONDS]: wait for it. Prints its output; returns its exit code.
guest_end() {
    to_guest end "$1" "${2:-60}"
}

# guest_run NAME COMMAND [SECONDS]
guest_run() {
    echo "$1: $2"
    to_guest run "$1" "${3:-60}" "$2"
}

# guest_answered NAME: whether its last command ended
guest_answered() {
    read -r number </run/rig/number."$1"
    guest-ask node "/local/domain/$(domid "$1")/data/rig/result" 0 "$number"
}

# guest_prints NAME COMMAND PATTERN: it must succeed, and a line of its output match
guest_prints() {
    guest_run "$1" "$2" >/run/rig/printed || {
        cat /run/rig/printed
        fail "$1: '$2' failed"
    }
    cat /run/rig/printed
    grep -Eq "$3" /run/rig/printed || fail "$1: '$2' printed something else"
}

# refused NAME COMMAND [PATTERN]: the command must fail, and its output match
refused() {
    if guest_run "$1" "$2" >/run/rig/refused 2>&1; then
        cat /run/rig/refused
        fail "$1: '$2' succeeded"
    fi
    cat /run/rig/refused
    [ -z "${3-}" ] || grep -Eq "$3" /run/rig/refused || fail "$1: '$2' failed in another way"
}

# --- the backend -----------------------------------------------------------------------------

backend_runs() {
    [ -e /run/rig/backend.pid ] && kill -0 "$(cat /run/rig/backend.pid)" 2>/dev/null
}

# backend_start ARGUMENT...: fsif-backend in dom0
backend_start() {
    backend_stop
    : >/run/rig/backend.out
    fsif-backend -l xen:all --plugin-dir /plugins "$@" >/run/rig/backend.out 2>>$backend_log &
    echo $! >/run/rig/backend.pid
    wait_for 10 grep -q listening /run/rig/backend.out || {
        tail -n 5 $backend_log
        fail "fsif-backend did not start"
    }
}

backend_stop() {
    backend_runs || return 0
    kill "$(cat /run/rig/backend.pid)"
    if ! wait_for 15 sh -c "! kill -0 $(cat /run/rig/backend.pid)"; then
        kill -9 "$(cat /run/rig/backend.pid)"
        fail "fsif-backend did not stop"
    fi
    rm /run/rig/backend.pid
}

# old_backend_start ARGUMENT...: the double of an old backend, in the daemon's place
old_backend_start() {
    old-backend "$@" >/run/rig/old-backend.out 2>&1 &
    echo $! >/run/rig/old-backend.pid
    wait_for 10 grep -q listening /run/rig/old-backend.out || {
        cat /run/rig/old-backend.out
        fail "old-backend did not start"
    }
}

old_backend_stop() {
    [ -e /run/rig/old-backend.pid ] || return 0
    kill "$(cat /run/rig/old-backend.pid)" 2>/dev/null || true
    wait_for 10 sh -c "! kill -0 $(cat /run/rig/old-backend.pid)"
    rm /run/rig/old-backend.pid
    cat /run/rig/old-backend.out
}

# attach_number DOMAIN EXPORT [ro]: both halves; prints the export's number
attach_number() {
    fsifctl --json attach "$@" | sed -n 's/.*"number": \([0-9]*\),.*/\1/p'
}

workers() {
    pidof fsif-worker | wc -w
}

# sessions_left: nodes of sessions, and of devices that are not as they are between sessions
sessions_left() {
    xenstore-ls -f /local/domain/0/backend | awk -F/ '
        $6 == "vfs" && $7 ~ /^exports/ { exports = 1; next }
        $6 == "vfs" || ($6 == "fsif" && /\/(state = "[^12]"|status = )/) { print }
        END { if (!exports) print "no exports" }'
}

no_sessions() {
    ! pidof fsif-worker && [ -z "$(sessions_left)" ]
}

# nothing_left DOMID...: no worker, no node of a session, neither the backend's nor the guests'
nothing_left() {
    wait_for 15 no_sessions ||
        fail "left: $(workers) workers, $(sessions_left)"
    for d; do
        [ -z "$(xenstore-list "/local/domain/$d/device/vfs")" ] ||
            fail "left: $(xenstore-ls "/local/domain/$d/device/vfs")"
    done
}

# --- what two dialects share -----------------------------------------------------------------

# calls_of_dialect3: each operation of dialect 3 in a guest and, beside it, on a store of its own
calls_of_dialect3() {
    guest a
    a=$(domid a)
    rm -rf /tmp/calls
    mkdir -p /tmp/calls
    backend_start -e "calls=/tmp/calls,special,allow-domain=$a"
    fsifctl attach "$a" calls
    guest_run a "stores --address xen:0 --export calls --seed 1 --ops $(count 1000 20000)" \
        "$(count 200 3000)" >/run/rig/printed || {
        cat /run/rig/printed
        fail "the calls differ"
    }
    cat /run/rig/printed
    note "operation by operation: $(grep -x 'the same' /run/rig/printed)"
    nothing_left "$a"
    fsifctl detach "$a" calls
    backend_stop
}

# conformance_of DIALECT: the conformance program and the differential test in a guest, against a
# posix export in dom0. Without --full the two cases that make thousands of files, and take minutes
# on an emulated processor, are left out.
conformance_of() {
    guest a
    a=$(domid a)
    rm -rf /tmp/conformance
    mkdir -p /tmp/conformance/c /tmp/conformance/d
    backend_start -e "data=/tmp/conformance/c,allow-domain=$a" -e "diff=/tmp/conformance/d,allow-domain=$a"
    fsifctl attach "$a" data
    fsifctl attach "$a" diff
    command="conformance --address xen:0 --export data --dialect $1"
    [ -n "$RIG_FULL" ] || command="$command --without list-many,list-changing"
    guest_run a "$command" "$(count 200 3000)" >/run/rig/printed || {
        cat /run/rig/printed
        fail "conformance failed"
    }
    cat /run/rig/printed
    ran=$(grep '^[0-9][0-9] cases, 0 failed$' /run/rig/printed) || fail "no cases"
    ops=$(count 400 8000)
    guest_run a "differential --address xen:0 --export diff --dialect $1 --ops $ops" \
        "$(count 200 3000)" >/run/rig/printed || {
        cat /run/rig/printed
        fail "the differential test failed"
    }
    cat /run/rig/printed
    note "dialect $1: $ran; differential: $(tail -n 1 /run/rig/printed)"
    nothing_left "$a"
    fsifctl detach "$a" data
    fsifctl detach "$a" diff
    backend_stop
}

# old_nodes_gone: an old frontend leaves its nodes; without them its session ends
old_nodes_gone() {
    guest_run a 'xenstore-rm device/vfs/0'
    nothing_left "$a"
}

# old_frontend_of DIALECT MANY: an old frontend in guest a, with its defects
old_frontend_of() {
    guest a
    a=$(domid a)
    rm -rf /tmp/old
    mkdir -p /tmp/old/data /tmp/old/b
    echo hello >/tmp/old/data/file
    backend_start -e "data=/tmp/old/data,allow-domain=$a,strip-prefix=/tmp/old/data"
    fsifctl attach "$a" data
    # Its patience for the first answer was 100 ms; the emulated processor gets more.
    old="old-frontend --patience 10000 --dialect $1"

    # Every operation, one at a time; then many requests at once, where in dialect 1 one event too
    # early makes the frontend take its own requests for answers.
    guest_prints a "$old data check" '^[0-9]+ requests, '
    for n in 2 "$2"; do
        # It would take the node that named its last session for the answer of this one.
        old_nodes_gone
        guest_prints a "$old data many $n" "^50 rounds of $n at once, "
        # shellcheck disable=SC2034 # for a scenario's note
        answered=$(sed -n 's/^answered after //p' /run/rig/printed)
    done
    [ "$(ls /tmp/old/data)" = file ]
}

# old_backend_of DIALECT: our frontend on an old backend: one box for all requests, the frontend told
# of nodes that are not there yet, -1 for every error, answers in reverse order
old_backend_of() {
    guest a
    id=$(domid a)
    rm -rf /tmp/oldback
    mkdir -p /tmp/oldback/d
    echo hello >/tmp/oldback/d/file
    node="/local/domain/$id/device/vfs"
    xenstore-write "$node" ""
    xenstore-chmod "$node" "n$id" b0
    old_backend_start --dialect "$1" data /tmp/oldback
    fsif="fsif -c xen:0 --dialects $1"
    guest_prints a "$fsif exports" '^data '
    guest_prints a "$fsif cat data:/d/file" '^hello$'
    guest_prints a "$fsif ls data:/d" '^file$'
    # shellcheck disable=SC2016 # what the guest expands
    guest_run a 'mkdir -p /tmp/t/e && cp /bin/fsif /tmp/t && for i in 1 2 3 4 5; do echo $i >/tmp/t/e/$i; done'
    guest_run a "$fsif put --verify /tmp/t data:/ && $fsif get --verify data:/t/ /tmp/back" 100
    guest_run a 'cmp /tmp/t/fsif /tmp/back/fsif && cmp /tmp/t/e/5 /tmp/back/e/5; rm -rf /tmp/t /tmp/back'
    cmp /tmp/oldback/t/fsif /bin/fsif
    guest_run a "$fsif mv data:/d/file data:/d/other && $fsif rm data:/d/other && $fsif df data:"
    [ ! -e /tmp/oldback/d/file ]
    # It tells no reason.
    refused a "$fsif cat data:/none" 'gives no reason'
    # The frontend's nodes are gone with each session; the backend's are its own affair.
    nothing_below "$node"

    # It tells no dialect either, so a frontend that offers both cannot know which one it speaks.
    refused a 'fsif -c xen:0 cat data:/t/e/1' 'Protocol error'
    nothing_below "$node"

    # It is killed: nothing tells, for there is no canary and its nodes stay. A call ends by its limit.
    guest_begin a "$fsif -t 5 put /lib/x86_64-linux-gnu/libc.so.6 data:/big; $fsif -t 5 cat data:/big >/dev/null"
    wait_for 20 test -e /tmp/oldback/big || wait_for 5 sh -c 'ls -a /tmp/oldback | grep -q fsif-'
    kill -9 "$(cat /run/rig/old-backend.pid)"
    if guest_end a 60; then fail "it did not notice"; fi
    old_backend_stop
    xenstore-rm /local/domain/0/backend/vfs
    note "dialect $1: a tree of $(find /tmp/oldback/t -type f | wc -l) files there and back"
}

nothing_below() {
    [ -z "$(xenstore-list "$1")" ] || fail "left: $(xenstore-ls "$1")"
}

# expect_broken GUEST PATTERN: the one thing that broke in this guest's kernel is a known bug of it.
# Its console goes into the scenario's log; what comes later is judged as ever.
expect_broken() {
    console=/var/log/xen/console/guest-$1.log
    cat "$console"
    [ "$(grep -Ec 'kernel BUG|Oops:|BUG:|Kernel panic' "$console")" = 1 ] ||
        fail "guest $1's kernel broke more than once"
    grep -Eq "$2" "$console" || fail "guest $1's kernel broke in another way"
    : >"$console"
}

# --- ends ------------------------------------------------------------------------------------

scenario_ends() {
    backend_stop
}

clean_up() {
    set +e
    tail -n 30 $backend_log
    backend_stop
    old_backend_stop
    xl list
    for d in $(xl list | awk 'NR > 1 && $1 != "Domain-0" { print $1 }'); do xl destroy "$d"; done
    xenstore-ls -fp /local/domain/0/backend/vfs
    xenstore-ls -fp /local/domain/0/backend/fsif | grep state
}
