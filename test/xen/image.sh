# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Makes what run.sh boots: work/xen, work/vmlinuz, work/dom0.gz. Sourced; uses run.sh's variables.
# shellcheck disable=SC2154

xen_bin=/usr/lib/xen-4.17/bin
modules="xen-privcmd xenfs/xenfs xen-evtchn xen-gntdev xen-gntalloc"

# fetch_kernel DIR: Debian's kernel, unpacked and not installed
fetch_kernel() {
    local dir=$1 package
    if [ ! -d "$dir/kern/boot" ]; then
        package=$(apt-cache depends linux-image-amd64 |
            sed -n 's/^ *Depends: \(linux-image-6[^ ]*\)$/\1/p' | head -n 1)
        [ -n "$package" ] || { echo "image.sh: apt knows no kernel" >&2; return 1; }
        (cd "$dir" && apt-get download -q "$package" >/dev/null &&
            rm -rf kern.part && dpkg -x "$package"_*.deb kern.part && rm "$package"_*.deb &&
            mv kern.part kern) || { echo "image.sh: cannot get package $package" >&2; return 1; }
    fi
    cp "$dir"/kern/boot/vmlinuz-* "$dir/vmlinuz"
    zcat /boot/xen-4.17-amd64.gz >"$dir/xen"
}

# put_libraries ROOT FILE: what ldd names for it
put_libraries() {
    ldd "$2" 2>/dev/null | grep -oE '/[^ ]+' | while read -r l; do
        [ -e "$1$l" ] || cp -L --parents "$l" "$1/"
    done
}

# put ROOT PLACE FILE...: a program without its debugging information, with its libraries
put() {
    local r=$1 place=$2 f to
    shift 2
    mkdir -p "$r$place"
    for f; do
        [ -e "$f" ] || { echo "image.sh: there is no $f" >&2; return 1; }
        to=$r$place/$(basename "$f")
        strip -g -o "$to" "$f" 2>/dev/null || cp -L "$f" "$to"
        chmod 755 "$to"
        put_libraries "$r" "$f"
    done
}

put_base() {
    local r=$1 m t
    rm -rf "$r"
    mkdir -p "$r"/{bin,proc,sys,dev,tmp,run,mod,extra,etc,root,var/lib,var/log,lib/x86_64-linux-gnu}
    ln -s ../run "$r/var/run"
    echo "root:x:0:0:root:/root:/bin/sh" >"$r/etc/passwd"
    echo "root:x:0:" >"$r/etc/group"
    cp /bin/busybox "$r/bin/"
    ln -s busybox "$r/bin/sh"
    for m in $modules; do
        cp "$work"/kern/lib/modules/*/kernel/drivers/xen/"$m".ko "$r/mod/" || return 1
    done
    put "$r" /usr/bin /usr/bin/xenstore || return 1
    for t in ls read write chmod rm exists list; do
        ln -s ../usr/bin/xenstore "$r/bin/xenstore-$t"
    done
    # libxenstore cancels its thread, for which libc loads this without being linked to it.
    cp -L --parents /lib/x86_64-linux-gnu/libgcc_s.so.1 "$r/"
}

# What was built of the project; a part that was left out is left out here too.
put_built() {
    local r=$1 f
    for f in "$build"/frontends/cli/fsif "$build"/backends/server/fsif-backend \
        "$build"/backends/server/ctl/fsifctl \
        "$build"/test/conformance/{conformance,differential,stores} "$build"/test/xen/peers/*; do
        [ ! -f "$f" ] || [ ! -x "$f" ] || put "$r" /bin "$f" || return 1
    done
    for f in "$build"/plugins/*.so "$build"/test/plugins/*.so; do
        [ ! -e "$f" ] || put "$r" /plugins "$f" || return 1
    done
    # Where the programs look for plugins: the place that the build installs them to.
    f=$(sed -n 's/^CMAKE_INSTALL_PREFIX:[^=]*=//p' "$build/CMakeCache.txt")/$(sed -n \
        's/^FSIF_PLUGIN_DIR:[^=]*=//p' "$build/CMakeCache.txt")
    mkdir -p "$r$(dirname "$f")"
    ln -sfn /plugins "$r$f"
}

pack() {
    (cd "$1" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$2"
}

make_guest() {
    local r=$work/guest
    put_base "$r" && put_built "$r" || return 1
    [ ${#guest_files[@]} = 0 ] || put "$r" /extra "${guest_files[@]}" || return 1
    cp "$here/guest/init" "$r/init"
    pack "$r" "$work/guest.gz"
}

make_dom0() {
    local r=$work/dom0 s
    put_base "$r" && put_built "$r" || return 1
    mkdir -p "$r"/{guest,rig/scenarios,etc/xen} "$r"/var/lib/{xenstored,xen} "$r/var/log/xen/console"
    touch "$r/etc/xen/xl.conf"
    put "$r" $xen_bin $xen_bin/{xl,xenstored,xenconsoled,xen-init-dom0,libxl-save-helper} || return 1
    [ ${#dom0_files[@]} = 0 ] || put "$r" /extra "${dom0_files[@]}" || return 1
    cp "$here/dom0/lib.sh" "$r/rig/"
    for s in "${chosen[@]}"; do cp "$here/scenarios/$s.sh" "$r/rig/scenarios/"; done
    printf '%s\n' "${chosen[@]}" >"$r/rig/chosen"
    {
        echo "RIG_FULL=$full"
        echo "RIG_INTERACTIVE=$interactive"
    } >"$r/rig/settings"
    cp "$here/dom0/init" "$r/init"
    chmod 755 "$r/init"
    cp "$work/vmlinuz" "$r/guest/vmlinuz"
    cp "$work/guest.gz" "$r/guest/initrd.gz"
    pack "$r" "$work/dom0.gz"
}

make_images() {
    make_guest && make_dom0
}
