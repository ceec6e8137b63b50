// How many events there were, by kind, over time.
import { useMemo, useState } from "react";
import { ChartNoAxesColumn } from "lucide-react";
import { Chart } from "../charts/chart.tsx";
import { useMessages, usePanel } from "../connection/provider.tsx";
import { useAuditActivity } from "../hooks/audit.ts";
import { useFormat } from "../hooks/format.ts";
import { Card, Loaded, Segments } from "../primitives/index.ts";
import { type Kind, KINDS, rangeOf, type Span, SPANS, type Stretch, stretches } from "./activity.ts";

/** The colours of the kinds: refusals stand out. */
const COLORS: Record<Kind, number> = { reveal: 1, change: 2, refusal: 4, key: 3, audit: 6 };

/** What stands below the bars. */
const LABELS: Record<Span, Intl.DateTimeFormatOptions> = {
  day: { timeStyle: "short" },
  week: { weekday: "short" },
  month: { day: "numeric", month: "short" },
  quarter: { day: "numeric", month: "short" },
};

/** The activity of the last day, week, month or quarter. */
export function Activity() {
  const { audit } = useMessages();
  const [span, setSpan] = useState<Span>("week");
  // Of one span the range stays as it was, or each drawing would ask anew.
  const range = useMemo(() => rangeOf(span, new Date()), [span]);
  const reading = useAuditActivity({}, range);
  const spans = SPANS.map((id) => ({ id, label: audit.spans[id] }));
  return (
    <Card
      title={audit.activity}
      icon={ChartNoAxesColumn}
      actions={<Segments label={audit.span} choices={spans} value={span} onChange={setSpan} />}
    >
      <Loaded reading={reading} skeleton={<span className="hftok-bone hftok-chart-room" />}>
        {(rows) =>
          rows.length === 0
            ? <p className="hftok-muted hftok-chart-room">{audit.quiet}</p>
            : <Drawn all={stretches(rows, range)} span={span} />}
      </Loaded>
    </Card>
  );
}

function Drawn({ all, span }: { all: Stretch[]; span: Span }) {
  const { audit } = useMessages();
  const { locale } = usePanel();
  const format = useFormat();
  const isByHour = span === "day" || span === "week";
  const short = new Intl.DateTimeFormat(locale, LABELS[span]);
  const long = new Intl.DateTimeFormat(
    locale,
    isByHour ? { dateStyle: "medium", timeStyle: "short" } : { dateStyle: "full" },
  );
  return (
    <Chart
      caption={`${audit.activity}, ${audit.spans[span]}`}
      timeHeader={audit.time}
      labelEvery={span === "week" ? 4 : undefined}
      bars={all.map(({ at, events }) => ({
        id: at.toISOString(),
        label: short.format(at),
        title: long.format(at),
        values: events,
      }))}
      series={KINDS.map((id) => ({ id, label: audit.kinds[id], color: COLORS[id] }))}
      write={format.number}
      writeShort={(value) =>
        new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 }).format(value)}
    />
  );
}
