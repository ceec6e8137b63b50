# A table of what tools/bench-rpc.sh measured, one line a round and request; each figure the middle of all rounds. After
# benches/middle.awk.
#   round connections request calls_a_second p50 p99 calls database postgrest client
# The last three are processor time, in hundredths of a second.
{
    if (!(($2, $3) in known)) { known[$2, $3] = 1; order[++kinds] = $2 SUBSEP $3 }
    if ($1 + 1 > rounds) rounds = $1 + 1
    for (at = 4; at <= 6; at++) figure[$2, $3, at, $1 + 1] = $at
    for (at = 8; at <= 10; at++) figure[$2, $3, at, $1 + 1] = $at * 1e4 / $7
}
function all(key, at,    r) { for (r = 1; r <= rounds; r++) list[r] = figure[key, at, r]; return middle(list, rounds) }
# Beside a rival in the same round.
function ratio(connections, name, rival, at,    r) {
    for (r = 1; r <= rounds; r++) list[r] = figure[connections, name, at, r] / figure[connections, rival, at, r]
    return middle(list, rounds)
}
END {
    printf "%11s  %-16s %14s %8s %8s   %s\n", "", "", "", "p50", "p99", "processor time a call, us"
    printf "%11s  %-16s %14s %8s %8s %10s %10s %8s\n",
        "connections", "request", "calls a second", "us", "us", "database", "PostgREST", "client"
    for (k = 1; k <= kinds; k++) {
        split(order[k], part, SUBSEP)
        printf "%11d  %-16s %14.0f %8.0f %8.0f %10.0f %10.0f %8.0f\n", part[1], part[2], all(order[k], 4), all(order[k], 5),
            all(order[k], 6), all(order[k], 8), all(order[k], 9), all(order[k], 10)
    }
    printf "\n%11s  %-16s %14s %7s %7s %7s %10s\n", "connections", "beside", "calls a second", "least", "most", "wanted", "p50"
    for (k = 1; k <= kinds; k++) {
        split(order[k], part, SUBSEP)
        if (part[2] == "rpc_resolve") continue
        waits = ratio(part[1], "rpc_resolve", part[2], 5)
        m = ratio(part[1], "rpc_resolve", part[2], 4)
        printf "%11d  %-16s %14.2f %7.2f %7.2f %7s %10.2f\n", part[1], part[2], m, list[1], list[rounds],
            (part[2] == "rpc_plaintext" ? "1.0" : ""), waits
    }
}
