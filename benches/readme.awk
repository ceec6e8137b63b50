# The README's table of what hftok costs, from docs/performance/ratios.txt and rpc.txt: a line for each rival that their runs had.
# tools/figures.sh puts it into the README.
function add(measure, text) { order[++lines] = measure; says[measure] = text }
function column(begin, width,    text) { text = substr($0, begin, width); gsub(/ /, "", text); return text }
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
/^#/ { machine[FILENAME ~ /rpc/] = substr($0, 3); next }
# Columns as benches/ratios.awk prints them.
FILENAME ~ /ratios/ {
    name = column(1, 18)
    ratio[name] = column(53, 7)
    time[name] = column(85, 10)
    beside[name] = time[column(36, 16)]
}
# And benches/rpc.awk.
FILENAME ~ /rpc/ && $2 == "rpc_resolve" { time[$1] = $6 }
FILENAME ~ /rpc/ && $2 == "rpc_plaintext" && NF == 8 { beside[$1] = $6 }
FILENAME ~ /rpc/ && $2 == "rpc_plaintext" && NF < 8 { ratio[$1] = $3 }
END {
    print "| one would write | calls a second of hftok beside it | µs of processor a call, hftok and it |"
    print "|---|---|---|"
    for (n = 1; n <= lines; n++) {
        name = order[n]
        if (ratio[name] + 0 > 0)
            printf "| %s | %s | %s |\n", says[name], ratio[name], time[name] != "" ? time[name] ", " beside[name] : "not measured"
    }
    for (n = 0; n < 2; n++) if (machine[n] != "") printf "%s%s: %s.", (n ? " " : "\n"), (n ? "PostgREST" : "Measured"), machine[n]
    print ""
}
