// How often a user may have a provider asked about a key. Without it anybody who is signed in could find out through this server
// which of many stolen keys are good, and the providers would shut out the server for it.
//
// Must stay true: it holds ids of users and numbers only, and not many of them. Each instance of a function counts for itself.
import { Refusal } from "./refusal.ts";
import { variable } from "./settings.ts";

const PERIOD_MS = 60_000;
const MOST_USERS = 10_000;

/** A number of times that each user has in a minute. */
export class Pace {
  readonly #most: number;
  readonly #periods = new Map<string, { begun: number; times: number }>();

  constructor(most: number) {
    this.#most = most;
  }

  /** The pace of tests that the operator wants. */
  static ofTests(): Pace {
    const text = variable("HFTOK_TESTS_PER_MINUTE") ?? "30";
    if (!/^[1-9]\d{0,5}$/.test(text)) {
      throw new Error("HFTOK_TESTS_PER_MINUTE must be a whole number from 1 on");
    }
    return new Pace(Number(text));
  }

  /** Counts one more time; a refusal that says when the next one is, where there were too many. */
  admit(user: string, now = Date.now()): void {
    const seconds = this.wait(user, now);
    if (seconds === 0) return;
    const headers = { "Retry-After": String(seconds) };
    const message = `Keys are tested too often. Try again in ${seconds} seconds.`;
    throw new Refusal(429, "too_often", message, {}, headers);
  }

  /** Counts one more time, and gives 0; where there were too many, the seconds until the next one. */
  wait(user: string, now = Date.now()): number {
    const last = this.#periods.get(user);
    const period = last && now - last.begun < PERIOD_MS ? last : { begun: now, times: 0 };
    if (period.times >= this.#most) return Math.max(1, Math.ceil((period.begun + PERIOD_MS - now) / 1000));
    period.times++;
    if (!last && this.#periods.size >= MOST_USERS) this.#periods.clear();
    this.#periods.set(user, period);
    return 0;
  }
}
