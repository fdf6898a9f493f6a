#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh SOURCE: build for release, install into a staged prefix, and use it from a project
# outside the tree: CMake package and pkg-config, shared and static, C and C++, README.md's example.
set -eu
source_dir=$1
here=$source_dir/test/install
# Not below the source tree, which nothing that is installed may name.
work=$(mktemp -d "${TMPDIR:-/tmp}/fsif-install.XXXXXX")
daemon=
finish() {
    [ -z "$daemon" ] || kill "$daemon"
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 143' TERM INT
prefix=$work/prefix
build=$work/build

fail() {
    echo "FAILED: $*"
    exit 1
}

step() {
    echo "-- $*"
}

quiet() {
    "$@" >"$work/log" 2>&1 || { cat "$work/log"; fail "$*"; }
}

step "build and install into a prefix"
quiet cmake -S "$source_dir" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DFSIF_TESTS=OFF \
    -DFSIF_EXAMPLES=OFF -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib
quiet cmake --build "$build" -j "$(nproc)"
quiet cmake --install "$build"

step "install once more below DESTDIR: the same files"
DESTDIR=$work/dest quiet cmake --install "$build"
(cd "$prefix" && find . ! -type d | sort) >"$work/files"
(cd "$work/dest$prefix" && find . ! -type d | sort) >"$work/files.dest"
cmp "$work/files" "$work/files.dest" || fail "DESTDIR has other files"
[ "$(find "$work/dest" -path "$work/dest$prefix" -prune -o ! -type d -print | wc -l)" = 0 ] ||
    fail "files outside the prefix"

step "everything is there"
for f in lib/libfsif.so lib/libfsif.so.0 lib/libfsif.a lib/libfsif-host.so.0 lib/libfsif-host.a \
    lib/libfsif-client.so.0 lib/libfsif-client.a include/fsif/fsif.h include/fsif/client.h \
    include/fsif/host.h include/fsif/spin.h include/fsif/shm.h include/fsif/loop.h include/fsif/posix.h \
    include/fsif/memory.h lib/pkgconfig/fsif.pc lib/pkgconfig/fsif-host.pc \
    lib/pkgconfig/fsif-client.pc lib/cmake/fsif/fsif-config.cmake \
    lib/fsif/fsif-transport-shm.so lib/fsif/fsif-transport-loop.so lib/fsif/fsif-store-posix.so \
    lib/fsif/fsif-store-memory.so bin/fsif sbin/fsif-backend sbin/fsifctl share/man/man1/fsif.1 \
    share/man/man8/fsif-backend.8 share/man/man8/fsifctl.8; do
    [ -e "$prefix/$f" ] || fail "$f was not installed"
done
grep -q 'fsif/.*internal\|codec.h\|ring.h' "$work/files" && fail "an internal header was installed"

step "SONAME and exported symbols"
for lib in fsif fsif-host fsif-client; do
    so=$prefix/lib/lib$lib.so
    readelf -d "$so" | grep -q "SONAME.*\[lib$lib\.so\.0\]" || fail "SONAME of $lib"
    nm -D --defined-only "$so" | awk '{ print $3 }' | grep -v '^FSIF' >"$work/symbols" ||
        fail "$lib exports nothing"
    grep -v '^fsif_' "$work/symbols" && fail "$lib exports more than fsif_*"
    echo "   $lib: $(wc -l <"$work/symbols") symbols"
done
for plugin in "$prefix"/lib/fsif/*.so; do
    symbols=$(nm -D --defined-only "$plugin" | awk '{ print $3 }')
    case $(basename "$plugin") in
    fsif-transport-*) want=fsif_transport_plugin ;;
    *) want=fsif_store_plugin ;;
    esac
    [ "$symbols" = "$want" ] || fail "$plugin exports: $symbols"
done

step "nothing names the build or source folder"
for folder in "$build" "$source_dir"; do
    if grep -rlF -- "$folder" "$prefix"; then fail "these name $folder"; fi
done

step "programs run"
"$prefix/bin/fsif" --version >/dev/null || fail "fsif --version"
"$prefix/sbin/fsif-backend" --version >/dev/null || fail "fsif-backend --version"

# From here on the package lies elsewhere than it was configured for; plugins are loaded before.
export LD_LIBRARY_PATH=$prefix/lib
outside() {
    quiet cmake -S "$here/project" -B "$work/outside" -G Ninja -DCMAKE_PREFIX_PATH="$1" \
        -DCMAKE_BUILD_RPATH_USE_ORIGIN=ON
    quiet cmake --build "$work/outside" -j "$(nproc)"
}

step "CMake package, shared and static, C and C++"
outside "$prefix"
"$work/outside/session-shared" plugins || fail "session-shared"
"$work/outside/session-static" plugins || fail "session-static"
"$work/outside/headers-shared" || fail "headers-shared"
ldd "$work/outside/session-shared" | grep -q "libfsif-client.so.0 => $prefix/lib" ||
    fail "session-shared does not use the installed library"
ldd "$work/outside/session-static" | grep libfsif && fail "session-static uses a shared library"

# Between the heading and the next one: the program, and the command that compiles it.
readme_section() {
    awk '/^## / { on = $0 == "## The API in 20 lines" } on' "$source_dir/README.md"
}

step "the example in README.md, compiled as it says, against the installed daemon"
mkdir "$work/readme" "$work/data"
readme_section | awk '/^```$/ { on = 0 } on; /^```c$/ { on = 1 }' >"$work/readme/notes.c"
# shellcheck disable=SC2016 # backquotes as text
command=$(readme_section | sed -n 's/^`\(cc notes\.c [^`]*\)`.*/\1/p')
[ -n "$command" ] || fail "README.md does not say how to compile its example"
[ "$(grep -c 'shm:/run/fsif\.sock' "$work/readme/notes.c")" = 1 ] || fail "README.md's example"
sed -i "s,shm:/run/fsif\.sock,shm:$work/sock," "$work/readme/notes.c"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
(cd "$work/readme" && eval "$command") || fail "$command"
mkfifo "$work/ready"
"$prefix/sbin/fsif-backend" -l "shm:$work/sock" -e "data=$work/data" >"$work/ready" 2>"$work/log" &
daemon=$!
grep -q -m 1 listening "$work/ready" || fail "fsif-backend: $(cat "$work/log")"
said=$("$work/readme/a.out") || fail "README.md's example: $said"
[ "$said" = hello ] || fail "README.md's example printed: $said"
[ "$(cat "$work/data/notes.txt")" = hello ] || fail "README.md's example wrote no notes.txt"
kill "$daemon"
wait "$daemon" || fail "fsif-backend ended badly: $(cat "$work/log")"
daemon=

step "pkg-config, shared and static, from a prefix that was moved"
mv "$prefix" "$work/moved"
prefix=$work/moved
export LD_LIBRARY_PATH=$prefix/lib PKG_CONFIG_PATH=$prefix/lib/pkgconfig
unset PKG_CONFIG_SYSROOT_DIR
pkg-config --validate fsif fsif-host fsif-client
for p in fsif fsif-host fsif-client; do
    [ "$(pkg-config --modversion $p)" = "$(pkg-config --modversion fsif)" ] || fail "version of $p"
done
case $(pkg-config --libs --static fsif-client) in
*-lfsif-client*-lfsif-host*-lfsif*) ;;
*) fail "pkg-config --libs --static: $(pkg-config --libs --static fsif-client)" ;;
esac
[ "$(cd "$(pkg-config --variable=plugindir fsif-host)" && pwd)" = "$prefix/lib/fsif" ] ||
    fail "plugindir"
linked="-lfsif-transport-loop -lfsif-store-memory"
# shellcheck disable=SC2046,SC2086
{
    quiet gcc -std=c11 -Wall -Wextra -Werror $(pkg-config --cflags fsif-client) \
        "$here/project/session.c" -o "$work/pc-shared" -L"$prefix/lib" $linked \
        $(pkg-config --libs fsif-client) -pthread
    # glibc warns of dlopen() in a static program; that is no error.
    quiet gcc -static -std=c11 $(pkg-config --cflags fsif-client) "$here/project/session.c" \
        -o "$work/pc-static" -L"$prefix/lib" $linked $(pkg-config --static --libs fsif-client)
    quiet g++ -std=c++11 -Wall -Wextra -Werror -pedantic $(pkg-config --cflags fsif-client) \
        "$here/project/headers.cc" -o "$work/pc-headers" $(pkg-config --libs fsif-client)
}
"$work/pc-shared" || fail "pc-shared"
"$work/pc-static" || fail "pc-static"
"$work/pc-headers" || fail "pc-headers"
if ldd "$work/pc-static" 2>&1 | grep -q libfsif; then fail "pc-static uses a shared library"; fi

step "CMake package from the moved prefix"
rm -rf "$work/outside"
outside "$prefix"
"$work/outside/session-shared" || fail "session-shared from the moved prefix"
echo "installed and used: ok"
