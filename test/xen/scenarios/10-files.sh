# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# takes: 41
# timeout: 400
# A guest lists, reads, writes, puts and gets files of a posix export of dom0's over xen:0.
guest a
id=$(domid a)
rm -rf /tmp/files
mkdir -p /tmp/files/data
echo hello >/tmp/files/data/greeting
backend_start -e data=/tmp/files
fsifctl attach a data
guest_prints a 'fsif -c xen:0 exports' '^data rw$'
guest_prints a 'fsif -c xen:0 ls data:/data' '^greeting$'
guest_prints a 'fsif -c xen:0 cat data:/data/greeting' '^hello$'
guest_run a 'echo written by a guest >/tmp/w && fsif -c xen:0 put /tmp/w data:/data/w'
grep -q '^written by a guest$' /tmp/files/data/w

# A real tree of small and large files, there and back in either dialect, compared by the guest.
# shellcheck disable=SC2016
guest_run a 'mkdir -p /tmp/t/bin && cp /bin/fsif /plugins/* /lib/x86_64-linux-gnu/libc.so.6 /tmp/t/bin/
    i=0
    while [ $i -lt 100 ]; do
        mkdir -p /tmp/t/d$((i % 7))
        echo $i >/tmp/t/d$((i % 7))/$i
        i=$((i + 1))
    done'
sums='find . -type f | sort | xargs md5sum'
for dialect in 2 3; do
    fsif="fsif -c xen:0 --dialects $dialect"
    guest_run a "time $fsif put --verify /tmp/t data:/" 120
    guest_run a "time $fsif get --verify data:/t/ /tmp/back" 120
    (cd /tmp/files/t && sh -c "$sums") >/tmp/sums
    [ "$(wc -l </tmp/sums)" -gt 100 ]
    sum=$(md5sum </tmp/sums | cut -d " " -f 1)
    guest_prints a "cd /tmp/t && $sums | md5sum" "^$sum "
    guest_prints a "cd /tmp/back && $sums | md5sum" "^$sum "
    guest_run a 'rm -rf /tmp/back'
    note "dialect $dialect, put and get: $(find /tmp/files/t -type f | wc -l) files, $(du -sk /tmp/files/t | cut -f1) KiB, verified"
    rm -rf /tmp/files/t
    nothing_left "$id"
done
guest_run a 'rm -rf /tmp/t'

nothing_left "$id"
fsifctl detach "$id" data
backend_stop
