# From what reading rows and opening their values took in each round, a table: the cost of a value in the middle of all rounds, with the
# least and the most, by the clock, by the backend's processor time, and by that of all processes. After benches/middle.awk.
!($2 in seen) { seen[$2] = 1; order[++kinds] = $2 }
{ for (way = 1; way <= 3; way++) took[$1, $2, $3, way] = $(3 + way); if ($1 + 1 > rounds) rounds = $1 + 1 }
function cost(r, kind, way) {
    return (took[r, kind, "decrypted_secret", way] - took[r, kind, "created_at", way]) * 1e6 / values
}
END {
    printf "%-14s %8s %8s %8s %12s %14s\n", "method", "clock", "least", "most", "processor", "with writer"
    for (k = 1; k <= kinds; k++) {
        for (way = 1; way <= 3; way++) {
            for (r = 0; r < rounds; r++) own[r + 1] = cost(r, order[k], way)
            m[way] = middle(own, rounds)
            if (way == 1) { least = own[1]; most = own[rounds] }
        }
        printf "%-14s %8.2f %8.2f %8.2f %12.2f %14.2f\n", order[k], m[1], least, most, m[2], m[3]
    }
    if (kinds < 2) exit
    for (r = 0; r < rounds; r++) ratio[r + 1] = cost(r, order[1], 1) / cost(r, order[2], 1)
    m[1] = middle(ratio, rounds)
    least = ratio[1]; most = ratio[rounds]
    for (r = 0; r < rounds; r++) ratio[r + 1] = cost(r, order[1], 2) / cost(r, order[2], 2)
    printf "%-14s %8.2f %8.2f %8.2f %12.2f %14s\n", "ratio", m[1], least, most, middle(ratio, rounds), "0.5 wanted"
}
