// Bars over time, drawn by recharts: the only file that loads it, and is itself loaded when a chart is shown.
//
// Must stay true: no style element and no animation comes of it, and nothing in it is focused: a table beside it says the same.
import { Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";

/** One colour of a chart. */
export interface Series {
  id: string;
  label: string;
  /** The number of its colour, from 1. */
  color: number;
}

/** One bar: a stretch of time, and a number for each series. */
export interface BarOfTime {
  id: string;
  /** What stands below it. */
  label: string;
  /** What stands above the numbers when it is pointed at. */
  title: string;
  values: Record<string, number>;
}

/** The props of the bars. */
export interface StackedBarsProps {
  bars: BarOfTime[];
  series: Series[];
  /** How a number is written when a bar is pointed at. */
  write: (value: number) => string;
  /** How a number is written beside the axis: shorter. */
  writeShort: (value: number) => string;
  /** Below every how many bars the time stands; as many as there is room for when not given. */
  labelEvery?: number;
}

const TICK = { fill: "var(--hftok-faint)", fontSize: 12 };

/** The bars, as wide as there is room. */
export default function StackedBars({ bars, series, write, writeShort, labelEvery }: StackedBarsProps) {
  const bySeries = (id: string) => (bar: BarOfTime) => bar.values[id] ?? 0;
  return (
    <ResponsiveContainer width="100%" height="100%" initialDimension={{ width: 600, height: 240 }}>
      <BarChart
        data={bars}
        accessibilityLayer={false}
        margin={{ top: 8, right: 0, bottom: 0, left: 0 }}
        barCategoryGap="24%"
      >
        <CartesianGrid vertical={false} stroke="var(--hftok-line)" />
        <XAxis
          dataKey="label"
          tickLine={false}
          axisLine={false}
          tick={TICK}
          minTickGap={20}
          tickMargin={8}
          interval={labelEvery === undefined ? "preserveStartEnd" : labelEvery - 1}
        />
        <YAxis
          tickLine={false}
          axisLine={false}
          tick={TICK}
          tickFormatter={writeShort}
          width={48}
          tickCount={4}
        />
        <Tooltip
          isAnimationActive={false}
          cursor={{ fill: "var(--hftok-hover)" }}
          content={({ active, payload }) => {
            const bar: BarOfTime | undefined = payload[0]?.payload;
            return active && bar ? <Tip bar={bar} series={series} write={write} /> : null;
          }}
        />
        {series.map(({ id, color }) => (
          <Bar
            key={id}
            dataKey={bySeries(id)}
            stackId="all"
            fill={`var(--hftok-series-${color})`}
            maxBarSize={32}
            isAnimationActive={false}
          />
        ))}
      </BarChart>
    </ResponsiveContainer>
  );
}

function Tip({ bar, series, write }: { bar: BarOfTime; series: Series[]; write: (value: number) => string }) {
  const shown = series.filter(({ id }) => (bar.values[id] ?? 0) > 0).reverse();
  return (
    <div className="hftok-tip">
      <p className="hftok-tip-title">{bar.title}</p>
      {shown.map(({ id, label, color }) => (
        <p key={id} className="hftok-tip-line">
          <span className={`hftok-swatch hftok-swatch-${color}`} />
          <span>{label}</span>
          <span className="hftok-tip-number">{write(bar.values[id] ?? 0)}</span>
        </p>
      ))}
      {shown.length === 0 && <p className="hftok-tip-line">{write(0)}</p>}
    </div>
  );
}
