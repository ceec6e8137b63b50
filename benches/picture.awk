# The ratios of a run as bars, one a measure; the line is the rival.
BEGIN { left = 150; unit = 260; row = 26 }
!/^#/ && NF >= 7 && $4 + 0 > 0 { n++; name[n] = $1; beside[n] = $3; ratio[n] = $4; low[n] = $5; high[n] = $6 }
END {
    height = n * row + 50
    width = left + unit * 3 + 60
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", width, height
    printf "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
    printf "<text x=\"%d\" y=\"20\">calls a second beside the rival, one run (1 = as fast)</text>\n", left
    for (k = 1; k <= n; k++) {
        y = 30 + (k - 1) * row
        long = ratio[k] * unit; if (long > unit * 3) long = unit * 3
        printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", left - 8, y + 15, name[k]
        printf "<rect x=\"%d\" y=\"%d\" width=\"%.0f\" height=\"%d\" fill=\"%s\"/>\n", left, y + 3, long, row - 8, (ratio[k] >= 1 ? "#2f8f5b" : "#b9862d")
        printf "<text x=\"%.0f\" y=\"%d\">%.2f (%.2f to %.2f) beside %s</text>\n", left + long + 6, y + 15, ratio[k], low[k], high[k], beside[k]
    }
    printf "<line x1=\"%d\" y1=\"28\" x2=\"%d\" y2=\"%d\" stroke=\"black\"/>\n</svg>\n", left + unit, left + unit, height - 18
}
