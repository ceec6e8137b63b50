# From what is wanted and what was measured, a table: the middle of all rounds, and of the ratios within each round with
# the smallest and the largest; then the processor time of a call, in microseconds, and beside the rival's. After benches/middle.awk.
FNR == NR { split($0, part, "|"); order[++kinds] = part[1]; rival[part[1]] = part[2]; wanted[part[1]] = part[3]; most[part[1]] = part[4]; next }
{ calls[$2, $1] = $3 * $4; time[$2, $1] = $5 / ($3 * $4); if ($1 + 1 > rounds) rounds = $1 + 1 }
function all(of, name,    r) { for (r = 0; r < rounds; r++) list[r + 1] = of[name, r]; return middle(list, rounds) }
function beside(of, name, other,    r) { for (r = 0; r < rounds; r++) list[r + 1] = of[name, r] / of[other, r]; return middle(list, rounds) }
END {
    printf "%-18s %14s  %-16s %7s %7s %7s %7s %10s %7s %7s\n",
        "measure", "calls a second", "beside", "ratio", "least", "most", "wanted", "processor", "ratio", "at most"
    for (k = 1; k <= kinds; k++) {
        name = order[k]
        other = rival[name]
        printf "%-18s %14.0f", name, all(calls, name)
        if (other == "" || !((other, 0) in calls)) {
            printf "  %-16s %7s %7s %7s %7s %10.1f\n", "", "", "", "", "", all(time, name)
            continue
        }
        spent = beside(time, name, other)
        ratio = beside(calls, name, other)
        printf "  %-16s %7.2f %7.2f %7.2f %7s %10.1f", other, ratio, list[1], list[rounds], wanted[name], all(time, name)
        printf most[name] == "" ? " %7.2f\n" : " %7.2f %7s\n", spent, most[name]
    }
}
