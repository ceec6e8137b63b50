// Days of the person's calendar, as a date field has them, and the times at which they begin and end.

/** The day of a time; some days later or earlier when said. */
export function dayOf(time: string | undefined, later = 0): string {
  if (time === undefined) return "";
  const at = new Date(time);
  at.setDate(at.getDate() + later);
  const two = (part: number) => String(part).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** When a day begins where the person is; undefined for no day. */
export function startOfDay(day: string): string | undefined {
  return timeOf(day, 0);
}

/** When the day after it begins. */
export function endOfDay(day: string): string | undefined {
  return timeOf(day, 1);
}

/** Whether a text is an id as hftok gives them. */
export function isId(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

function timeOf(day: string, later: number): string | undefined {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day);
  if (parts === null) return undefined;
  const at = new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]) + later);
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}
