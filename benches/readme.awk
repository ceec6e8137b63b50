# The README's table of what hftok costs, from docs/performance/ratios.txt, ratios-other.txt (of another processor) and rpc.txt: a line for
# each rival that their runs had, a column for each processor. tools/figures.sh puts it into the README.
function add(measure, text) { order[++lines] = measure; says[measure] = text }
function column(begin, width,    text) { text = substr($0, begin, width); gsub(/ /, "", text); return text }
function cell(run, name,    text) {
    if (ratio[run, name] + 0 == 0) return "not measured"
    text = ratio[run, name]
    return time[run, name] == "" ? text : text " (" time[run, name] ", " beside[run, name] ")"
}
BEGIN {
    add("resolve_audit", "the walk in plpgsql, and an INSERT into an audit table")
    add("resolve_audit_8", "the same, eight clients")
    add("resolve_audit_32", "the same, 32 clients that wait for their commits (hftok: `sync`)")
    add("resolve_and_audit", "SELECT and INSERT in one statement")
    add("resolve_pgaudit", "a SELECT that pgaudit logs")
    add("resolve_pgaudit_8", "the same, eight clients")
    add("1", "over PostgREST, a function that reads plaintext, one connection")
    add("16", "the same, sixteen connections")
    add("resolve", "a plain SELECT by a key of text, without audit")
    add("resolve_by_number", "the same by an integer")
    add("resolve_8", "the same by text, eight clients")
}
/^#/ {
    run = FILENAME ~ /rpc/ ? "rpc" : ++runs
    machine[run] = substr($0, 3)
    split(machine[run], part, ", ")
    processor[run] = part[2]
    next
}
# Columns as benches/ratios.awk prints them.
run != "rpc" {
    name = column(1, 18)
    ratio[run, name] = column(53, 7)
    time[run, name] = column(85, 10)
    beside[run, name] = time[run, column(36, 16)]
}
# And benches/rpc.awk.
run == "rpc" && $2 == "rpc_resolve" { time[run, $1] = $6 }
run == "rpc" && $2 == "rpc_plaintext" && NF == 8 { beside[run, $1] = $6 }
run == "rpc" && $2 == "rpc_plaintext" && NF < 8 { ratio[run, $1] = $3 }
END {
    printf "| one would write |"
    for (run = 1; run <= runs; run++) printf " on %s |", processor[run]
    printf "\n|---|"
    for (run = 1; run <= runs; run++) printf "---|"
    print ""
    for (n = 1; n <= lines; n++) {
        name = order[n]
        is_any = 0
        text = ""
        for (run = 1; run <= runs; run++) {
            # PostgREST was measured on one of them.
            at = name + 0 > 0 && processor[run] == processor["rpc"] ? "rpc" : run
            if (ratio[at, name] + 0 > 0) is_any = 1
            text = text " " cell(at, name) " |"
        }
        if (is_any) print "| " says[name] " |" text
    }
    for (run = 1; run <= runs; run++) printf "%s%s.", (run > 1 ? " " : "\nMeasured: "), machine[run]
    if ("rpc" in machine) printf " PostgREST: %s.", machine["rpc"]
    print ""
}
