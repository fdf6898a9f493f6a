# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Sourced by the lists of packages: does with $packages what the first argument says.
# shellcheck disable=SC2154 # packages is theirs

missing() {
    for p in $packages; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)
        [ "$state" = installed ] || echo "$p"
    done
}

case "${1-}" in
"")
    for p in $packages; do echo "$p"; done
    ;;
--missing)
    missing
    ;;
--install)
    need=$(missing)
    [ -n "$need" ] || exit 0
    if [ "$(id -u)" != 0 ]; then
        echo "packages.sh: missing, and only root can install them:" >&2
        echo "$need" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get install -y --no-install-recommends $need ||
        { apt-get update && apt-get install -y --no-install-recommends $need; }
    ;;
*)
    echo "usage: packages.sh [--missing | --install]" >&2
    exit 2
    ;;
esac
