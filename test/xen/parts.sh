# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Scenarios on several machines at once. Sourced; uses run.sh's variables.
# shellcheck disable=SC2154

# seconds SCENARIO: what it takes, about
seconds() {
    sed -n 's/^# takes: //p' "$here/scenarios/$1.sh"
}

# A line for each part, its scenarios: the longest ones first, each to whom has least to do.
make_parts() {
    local s
    for s in "${chosen[@]}"; do echo "$(seconds "$s") $s"; done | sort -k1,1nr -k2 |
        awk -v parts="$at_once" '{
            least = 1
            for (i = 2; i <= parts; i++)
                if (sum[i] < sum[least])
                    least = i
            sum[least] += $1
            list[least] = list[least] " " $2
        }
        END { for (i = 1; i <= parts; i++) if (list[i] != "") print list[i] }'
}

# Returns 0 if all parts passed.
run_parts() {
    local began=$SECONDS pids=() options=(--build "$build") n=0 bad=0 names pid f
    local last='^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$'
    [ -z "$full" ] || options+=(--full)
    for f in "${dom0_files[@]}"; do options+=(--dom0 "$f"); done
    for f in "${guest_files[@]}"; do options+=(--guest "$f"); done
    while read -r -a names; do
        n=$((n + 1))
        mkdir -p "$work/$n"
        ln -sfn ../kern "$work/$n/kern"
        mapfile -t names < <(printf '%s\n' "${names[@]}" | sort)
        "$here/run.sh" "${options[@]}" --part "$work/$n" "${names[@]}" >"$work/$n.txt" 2>&1 &
        pids+=($!)
    done < <(make_parts)
    for pid in "${pids[@]}"; do wait "$pid" || bad=1; done
    for ((f = 1; f <= n; f++)); do grep -vE "$last" "$work/$f.txt"; done
    echo "scenarios took $((SECONDS - began)) s on $n machines at once"
    # A part without a last line failed.
    for ((f = 1; f <= n; f++)); do grep -E "$last" "$work/$f.txt" || echo "0 passed, 1 failed"; done |
        awk '{ passed += $1; failed += $3; skipped += $5 }
            END { print passed " passed, " failed " failed, " skipped + 0 " skipped" }'
    return $bad
}
