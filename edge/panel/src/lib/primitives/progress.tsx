// Progress: how much of something is done.
import { Label, ProgressBar as AriaProgressBar } from "react-aria-components";

/** The props of a bar. */
export interface ProgressBarProps {
  label: string;
  /** Of `max`; null when nobody knows. */
  value: number | null;
  max?: number;
  /** What stands at the end: `1,200 of 3,400`; the percentage when not given. */
  valueLabel?: string;
  tone?: "accent" | "good" | "warning" | "bad";
}

/** A bar. */
export function ProgressBar({ label, value, max = 100, valueLabel, tone = "accent" }: ProgressBarProps) {
  return (
    <AriaProgressBar
      className={`hftok-progress hftok-progress-${tone}`}
      value={value ?? 0}
      maxValue={max}
      isIndeterminate={value === null}
      valueLabel={valueLabel}
    >
      {({ percentage, valueText, isIndeterminate }) => (
        <>
          <span className="hftok-progress-head">
            <Label>{label}</Label>
            <span className="hftok-faint">{valueText}</span>
          </span>
          <span className="hftok-progress-track">
            <span
              className={`hftok-progress-fill${isIndeterminate ? " hftok-progress-unknown" : ""}`}
              style={{ width: `${percentage ?? 40}%` }}
            />
          </span>
        </>
      )}
    </AriaProgressBar>
  );
}
