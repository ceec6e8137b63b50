# From what is wanted and what was measured, a table: the middle of all rounds, and of the ratios within each round with
# the smallest and the largest; and the processor time of a call, in microseconds. After benches/middle.awk.
FNR == NR { order[++kinds] = $1; rival[$1] = NF > 1 ? $2 : ""; wanted[$1] = NF > 2 ? $3 : ""; next }
{ calls[$2, $1] = $3 * $4; time[$2, $1] = $5 / ($3 * $4); if ($1 + 1 > rounds) rounds = $1 + 1 }
END {
    printf "%-18s %14s  %-16s %7s %7s %7s %7s %10s\n",
        "measure", "calls a second", "beside", "ratio", "least", "most", "wanted", "processor"
    for (k = 1; k <= kinds; k++) {
        name = order[k]
        for (r = 0; r < rounds; r++) own[r + 1] = calls[name, r]
        printf "%-18s %14.0f", name, middle(own, rounds)
        for (r = 0; r < rounds; r++) own[r + 1] = time[name, r]
        spent = middle(own, rounds)
        if (rival[name] != "" && (rival[name], 0) in calls) {
            for (r = 0; r < rounds; r++) ratio[r + 1] = calls[name, r] / calls[rival[name], r]
            m = middle(ratio, rounds)
            printf "  %-16s %7.2f %7.2f %7.2f %7s %10.1f\n", rival[name], m, ratio[1], ratio[rounds], wanted[name], spent
        } else {
            printf "  %-16s %7s %7s %7s %7s %10.1f\n", "", "", "", "", "", spent
        }
    }
}
