// The page for usage: how often credentials were used, how much of it, and what it cost, by day and provider.
//
// Must stay true: costs stand apart by currency, everywhere.
import { type ReactNode, useMemo, useState } from "react";
import { ChartColumn, ChartNoAxesColumn } from "lucide-react";
import { Chart } from "../charts/chart.tsx";
import { useMessages, usePanel } from "../connection/provider.tsx";
import { type Format, useFormat } from "../hooks/format.ts";
import { useMe } from "../hooks/me.ts";
import { useProviders } from "../hooks/providers.ts";
import { useUsage } from "../hooks/usage.ts";
import type { Messages } from "../messages/index.ts";
import {
  Banner,
  Card,
  type Column,
  EmptyState,
  Frame,
  Loaded,
  PageHead,
  Segments,
  Select,
  Skeleton,
  Table,
} from "../primitives/index.ts";
import {
  lastDays,
  type Measure,
  measureKey,
  measures,
  OTHERS,
  series,
  type Sum,
  sum,
  sums,
  type UsageRow,
} from "./series.ts";
import { isOf, whoseChoices } from "./whose.ts";

/** The props of Usage. */
export interface UsageProps {
  /** Only what this organisation's credentials were used for. */
  orgId?: string;
}

const RANGES = ["7", "30", "90"] as const;
type Range = (typeof RANGES)[number];

/** How often credentials were used, and what it cost: one's own, of organisations that one looks after, an administrator's everybody's. */
export function Usage({ orgId }: UsageProps) {
  const { usage } = useMessages();
  return (
    <Frame>
      <PageHead title={usage.title} description={usage.intro} />
      <UsageOf orgId={orgId} />
    </Frame>
  );
}

/** The same without a head, for a page that has one. */
export function UsageOf({ orgId }: UsageProps) {
  const { usage } = useMessages();
  const [range, setRange] = useState<Range>("30");
  const reading = useUsage({ days: Number(range), orgId });
  const ranges = RANGES.map((id) => ({ id, label: usage.ranges[id] }));
  return (
    <Loaded reading={reading} skeleton={<UsageSkeleton />}>
      {({ rows, isCut }) => (
        <>
          {isCut && <Banner tone="warning" title={usage.cut} />}
          <UsageShown
            rows={rows}
            days={Number(range)}
            isOne={orgId !== undefined}
            rangeControl={<Segments label={usage.range} choices={ranges} value={range} onChange={setRange} />}
          />
        </>
      )}
    </Loaded>
  );
}

function UsageSkeleton() {
  return (
    <>
      <Skeleton lines={1} height="card" />
      <Skeleton lines={3} height="card" />
    </>
  );
}

/** The parts of the page have these. */
interface ShownProps {
  rows: UsageRow[];
  days: number;
}

function UsageShown(
  { rows, days, isOne, rangeControl }: ShownProps & { isOne: boolean; rangeControl: ReactNode },
) {
  const { usage } = useMessages();
  const me = useMe().data;
  const [whose, setWhose] = useState("all");
  const choices = useMemo(() => isOne ? [] : whoseChoices(rows, me?.id ?? null, usage), [
    rows,
    me,
    usage,
    isOne,
  ]);
  const shown = choices.some(({ id }) => id === whose)
    ? rows.filter((row) => isOf(row, whose, me?.id ?? null))
    : rows;
  return (
    <>
      <div className="hftok-controls">
        {rangeControl}
        {choices.length > 2 && (
          <Select label={usage.whose} isLabelHidden choices={choices} value={whose} onChange={setWhose} />
        )}
      </div>
      {shown.length === 0
        ? <EmptyState icon={ChartColumn} title={usage.empty}>{usage.emptyHelp}</EmptyState>
        : (
          <>
            <Tiles sum={sum(shown)} />
            <ByDay rows={shown} days={days} />
            <ByProvider rows={shown} />
          </>
        )}
    </>
  );
}

function Tiles({ sum }: { sum: Sum }) {
  const { usage } = useMessages();
  const format = useFormat();
  const costs = Object.entries(sum.costs).sort(([a], [b]) => a < b ? -1 : 1);
  return (
    <dl className="hftok-figures">
      <Tile name={usage.requests} value={format.number(sum.requests)} />
      <Tile name={usage.units} value={format.number(sum.units)} />
      {costs.map(([currency, cost]) => (
        <Tile
          key={currency}
          name={usage.cost(currency)}
          value={format.money(cost, currency)}
          note={costs.length > 1 ? usage.perCurrency : undefined}
        />
      ))}
    </dl>
  );
}

function Tile({ name, value, note }: { name: string; value: string; note?: string }) {
  return (
    <div className="hftok-figure">
      <dt>{name}</dt>
      <dd>{value}</dd>
      {note && <dd className="hftok-figure-note">{note}</dd>}
    </div>
  );
}

function ByDay({ rows, days }: ShownProps) {
  const { usage } = useMessages();
  const { locale } = usePanel();
  const format = useFormat();
  const label = useLabels();
  const [chosen, setChosen] = useState("requests");
  const known = measures(rows);
  const measure = known.find((it) => measureKey(it) === chosen) ?? { of: "requests" };
  const choices = known.map((it) => ({ id: measureKey(it), label: nameOf(it, usage) }));
  const of = useMemo(() => series(rows, measure, lastDays(days, new Date())), [
    rows,
    days,
    measureKey(measure),
  ]);
  const short = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" });
  const long = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeZone: "UTC" });
  return (
    <Card
      title={usage.byDay(nameOf(measure, usage))}
      description={usage.chartHelp}
      icon={ChartNoAxesColumn}
      actions={
        <Segments label={usage.measure} choices={choices} value={measureKey(measure)} onChange={setChosen} />
      }
    >
      <Chart
        caption={usage.byDay(nameOf(measure, usage))}
        timeHeader={usage.day}
        bars={of.days.map(({ day, byProvider }) => ({
          id: day,
          label: short.format(new Date(day)),
          title: long.format(new Date(day)),
          values: byProvider,
        }))}
        series={of.providers.map((id, at) => ({
          id,
          label: id === OTHERS ? usage.others : label(id),
          color: id === OTHERS ? 6 : at + 1,
        }))}
        write={(value) => written(value, measure, format)}
        writeShort={(value) =>
          new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 }).format(value)}
      />
    </Card>
  );
}

function ByProvider({ rows }: { rows: UsageRow[] }) {
  const { usage } = useMessages();
  const format = useFormat();
  const label = useLabels();
  const all = sum(rows);
  const columns: Column<[string, Sum]>[] = [
    {
      id: "provider",
      header: usage.provider,
      isRowHeader: true,
      cell: ([provider]) => label(provider) || usage.unknown,
    },
    { id: "requests", header: usage.requests, align: "end", cell: ([, of]) => format.number(of.requests) },
    { id: "units", header: usage.units, align: "end", cell: ([, of]) => format.number(of.units) },
    ...Object.keys(all.costs).sort().map((currency): Column<[string, Sum]> => ({
      id: currency,
      header: usage.cost(currency),
      align: "end",
      cell: ([, of]) => of.costs[currency] === undefined ? "–" : format.money(of.costs[currency], currency),
    })),
  ];
  return (
    <Card title={usage.byProvider}>
      <Table
        caption={usage.byProvider}
        columns={columns}
        rows={sums(rows)}
        rowKey={([provider]) => provider}
      />
    </Card>
  );
}

/** What providers are called; by their names where the catalogue does not have them, or has them switched off. */
function useLabels(): (provider: string) => string {
  const providers = useProviders().data;
  return (provider) => providers?.find(({ name }) => name === provider)?.label ?? provider;
}

function nameOf(measure: Measure, usage: Messages["usage"]): string {
  return measure.of === "cost" ? usage.cost(measure.currency) : usage[measure.of];
}

function written(value: number, measure: Measure, format: Format): string {
  return measure.of === "cost" ? format.money(value, measure.currency) : format.number(value);
}
