// A chart with its legend, and the table that says the same: for who cannot see the chart, and for who prefers one.
import { lazy, Suspense, useState } from "react";
import { ChartColumn, Table2 } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { Button } from "../primitives/button.tsx";
import { type Column, Table } from "../primitives/table.tsx";
import type { BarOfTime, Series } from "./stacked_bars.tsx";

export type { BarOfTime, Series } from "./stacked_bars.tsx";

const StackedBars = lazy(() => import("./stacked_bars.tsx"));

/** The props of a chart. */
export interface ChartProps {
  /** What it shows. */
  caption: string;
  bars: BarOfTime[];
  series: Series[];
  /** The header of the column of times. */
  timeHeader: string;
  write: (value: number) => string;
  writeShort: (value: number) => string;
  /** Below every how many bars the time stands; as many as there is room for when not given. */
  labelEvery?: number;
}

/** Bars over time. In the table stand the times that have a number. */
export function Chart({ caption, bars, series, timeHeader, write, writeShort, labelEvery }: ChartProps) {
  const { charts } = useMessages();
  const [isTable, setTable] = useState(false);
  const withNumbers = bars.filter((bar) => total(bar) > 0);
  return (
    <figure className="hftok-chart">
      <figcaption className="hftok-hidden">{caption}</figcaption>
      {!isTable && (
        <div aria-hidden className="hftok-chart-drawing">
          <Suspense fallback={<span className="hftok-bone hftok-chart-bone" />}>
            <StackedBars
              bars={bars}
              series={series}
              write={write}
              writeShort={writeShort}
              labelEvery={labelEvery}
            />
          </Suspense>
        </div>
      )}
      <div
        className={isTable ? "hftok-chart-table" : "hftok-hidden"}
        tabIndex={isTable ? 0 : undefined}
        role="group"
        aria-label={caption}
      >
        <Table
          caption={caption}
          columns={columns(series, timeHeader, charts.total, write)}
          rows={withNumbers}
          rowKey={(bar) => bar.id}
        />
      </div>
      <div className="hftok-chart-foot">
        <Legend bars={bars} series={series} write={write} />
        <Button
          variant="quiet"
          size="small"
          icon={isTable ? ChartColumn : Table2}
          onPress={() => setTable(!isTable)}
        >
          {isTable ? charts.asChart : charts.asTable}
        </Button>
      </div>
    </figure>
  );
}

/** The colours, and what each came to. The table has the same, so it is for eyes only. */
function Legend({ bars, series, write }: Pick<ChartProps, "bars" | "series" | "write">) {
  return (
    <ul className="hftok-legend" aria-hidden>
      {series.map(({ id, label, color }) => (
        <li key={id}>
          <span className={`hftok-swatch hftok-swatch-${color}`} />
          <span>{label}</span>
          <span className="hftok-legend-number">
            {write(bars.reduce((sum, bar) => sum + (bar.values[id] ?? 0), 0))}
          </span>
        </li>
      ))}
    </ul>
  );
}

function columns(
  series: Series[],
  timeHeader: string,
  totalHeader: string,
  write: ChartProps["write"],
): Column<BarOfTime>[] {
  const numbers = series.map(({ id, label }): Column<BarOfTime> => ({
    id,
    header: label,
    align: "end",
    cell: (bar) => write(bar.values[id] ?? 0),
  }));
  const all: Column<BarOfTime> = {
    id: "*total",
    header: totalHeader,
    align: "end",
    cell: (bar) => write(total(bar)),
  };
  const time: Column<BarOfTime> = {
    id: "*time",
    header: timeHeader,
    isRowHeader: true,
    cell: (bar) => bar.title,
  };
  return series.length > 1 ? [time, ...numbers, all] : [time, ...numbers];
}

function total({ values }: BarOfTime): number {
  return Object.values(values).reduce((sum, value) => sum + value, 0);
}
