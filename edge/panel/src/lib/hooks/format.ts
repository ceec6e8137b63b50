// Dates, numbers and money in the provider's language.
import { useMemo } from "react";
import { usePanel } from "../connection/provider.tsx";

/** How things are written. */
export interface Format {
  /** 29 Nov 2026 */
  date: (at: string) => string;
  /** 29 Nov 2026, 21:55 */
  dateTime: (at: string) => string;
  /** 5 minutes ago */
  relative: (at: string) => string;
  /** 12,345 */
  number: (value: number) => string;
  /** €1.20; without a currency a number. */
  money: (value: number, currency: string | null) => string;
  /** 42 %, of a part of one. */
  percent: (part: number) => string;
}

const STEPS: [unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** How things are written in the provider's language. */
export function useFormat(): Format {
  const { locale } = usePanel();
  return useMemo(() => formatOf(locale), [locale]);
}

function formatOf(locale: string): Format {
  const date = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
  const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
  const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
  return {
    date: (at) => date.format(new Date(at)),
    dateTime: (at) => dateTime.format(new Date(at)),
    relative: (at) => {
      const seconds = (new Date(at).getTime() - Date.now()) / 1000;
      const [unit, length] = STEPS.find(([_, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
      return relative.format(unit === "second" ? 0 : Math.trunc(seconds / length), unit);
    },
    number: (value) => number.format(value),
    money: (value, currency) =>
      currency === null ? number.format(value) : new Intl.NumberFormat(locale, {
        style: "currency",
        currency,
        // Of less than one, what is paid for a few requests is in the digits behind.
        maximumFractionDigits: Math.abs(value) >= 1 ? 2 : 4,
      }).format(value),
    percent: (part) => percent.format(part),
  };
}
