// The meaning of a provider's answer to a test request, as the catalogue's `answers` and HTTP have it, and words for it.
//
// Must stay true: nothing of the provider's text is passed on. An answer that is not clear is `indeterminate`: nobody loses a
// credential over a provider that is down.
import type { Verdict } from "./client.ts";
import { parsed } from "./json.ts";
import type { Json } from "./schema/database.ts";

/** Why there is this verdict, for a program to decide by. */
export type Reason =
  | "accepted"
  | "refused"
  | "forbidden"
  | "gated"
  | "unpaid"
  | "rate_limited"
  | "unavailable"
  | "redirected"
  | "timeout"
  | "unreachable"
  | "unclear"
  /** Not sent: a field is missing, a value cannot stand where it must, the address is none of the provider's, no test is known. */
  | "incomplete"
  | "unsendable"
  | "other_host"
  | "no_test";

/** The result of a test. */
export interface Finding {
  verdict: Verdict;
  /** The provider's status; null when it was not asked, or did not answer. */
  status: number | null;
  reason: Reason;
  /** The seconds for which the provider asks not to be asked; only where the verdict is `rate_limited`. */
  retryAfter: number | null;
}

/** What is looked at of an answer. */
export interface Answer {
  status: number;
  headers: Headers;
  /** The beginning of its body; empty when nothing in the catalogue looks into it. */
  body: string;
}

/** The catalogue's `answers`: a status, with or without a word or `member=value` of the body, to a verdict. */
export type Answers = { [said: string]: Json | undefined };

/** The longest rest that a provider can ask for: a day. */
const REST_MAX = 24 * 60 * 60;
/** A verdict that some condition on the body decides outranks what the status alone says; of those the worst counts. */
const WORST_FIRST = ["invalid", "indeterminate", "verified"] as const;

/** Whether the body of an answer of this status has to be read. */
export function looksInside(answers: Answers, status: number): boolean {
  return Object.keys(answers).some((said) => said.startsWith(`${status} `));
}

/** The finding in an answer. */
export function findingOf(answers: Answers, answer: Answer, now: Date): Finding {
  const { status, headers } = answer;
  const told = conditional(answers, answer) ?? answers[String(status)];
  if (told === "verified") return { verdict: "verified", status, reason: "accepted", retryAfter: null };
  if (told === "invalid") return { verdict: "invalid", status, reason: "refused", retryAfter: null };
  const reason = reasonOf(status, headers);
  const retryAfter = reason === "rate_limited" ? secondsOf(headers.get("Retry-After"), now) : null;
  // Without a time to come back it says nothing about when the credential can be used again.
  return { verdict: retryAfter === null ? "indeterminate" : "rate_limited", status, reason, retryAfter };
}

/** A finding without an answer. */
export function unanswered(reason: Reason): Finding {
  return { verdict: "indeterminate", status: null, reason, retryAfter: null };
}

/** The finding in words for people; `label` is the provider's name, `isMany` whether its credentials have several fields. */
export function sentence(
  label: string,
  { verdict, status, reason, retryAfter }: Finding,
  isMany = false,
): string {
  const it = isMany ? "these credentials" : "this key";
  if (verdict === "verified") return `${label} accepts ${it}.`;
  const wait = retryAfter === null ? "in a few minutes" : `in ${retryAfter} seconds`;
  const words: Record<Exclude<Reason, "accepted">, string> = {
    refused: `${label} refuses ${it}.`,
    forbidden: `${label} does not let ${it} ask (403): a policy, a region or a permission stands in the way.`,
    gated: `the account of ${it} has not accepted the conditions that ${label} asks for.`,
    unpaid: `the account of ${it} has no credit left at ${label}.`,
    rate_limited: `${label} is asked too often at the moment. Try again ${wait}.`,
    unavailable: `${label} has a disturbance (${status}). Nothing is known about ${it}; try again later.`,
    redirected: `${label} redirects elsewhere, and nothing is taken there.`,
    timeout: `${label} did not answer in time. Nothing is known about ${it}; try again later.`,
    unreachable: `${label} cannot be reached. Nothing is known about ${it}; try again later.`,
    unclear: `${label} gave no clear answer (${status}), so nothing is known about ${it}.`,
    incomplete: `a field is missing in ${it}. Nothing was sent.`,
    unsendable: `${it} cannot be read or sent as they should be. Nothing was sent.`,
    other_host: `the address in ${it} is none of ${label}'s, or may not be used. Nothing was sent.`,
    no_test: `nothing is known by which ${label} could be asked about ${it}.`,
  };
  return `Failed to verify credentials: ${reason === "accepted" ? words.unclear : words[reason]}`;
}

/** The verdict by the body, where one of the catalogue's conditions holds. */
function conditional(answers: Answers, { status, body }: Answer): Json | undefined {
  const holding = Object.entries(answers)
    .filter(([said]) => said.startsWith(`${status} `) && holds(said.slice(String(status).length + 1), body))
    .map(([_, verdict]) => verdict);
  return WORST_FIRST.find((verdict) => holding.includes(verdict));
}

/** `valid=true`: a member of the JSON has this value; `error.code=…` one further inside. Else a word that the body has. */
function holds(condition: string, body: string): boolean {
  const member = /^([\w.]+)=(.*)$/.exec(condition);
  if (!member) return new RegExp(`(?<![\\w])${escaped(condition)}(?![\\w])`).test(body);
  let at: unknown = parsed(body);
  for (const name of member[1]?.split(".") ?? []) {
    at = typeof at === "object" && at !== null
      ? Object.entries(at).find(([key]) => key === name)?.[1]
      : undefined;
  }
  return ["string", "number", "boolean"].includes(typeof at) && String(at) === member[2];
}

function reasonOf(status: number, headers: Headers): Reason {
  // As the Hub of Hugging Face says it.
  if (status === 403) return headers.get("X-Error-Code") === "GatedRepo" ? "gated" : "forbidden";
  if (status === 402) return "unpaid";
  if (status === 429) return "rate_limited";
  if (status === 408 || status >= 500) return "unavailable";
  // A browser hides where a redirect leads, and answers 0.
  if (status === 0 || (status >= 300 && status < 400)) return "redirected";
  return "unclear";
}

/** Retry-After as seconds or as a date; null when it says neither. */
function secondsOf(text: string | null, now: Date): number | null {
  const said = text?.trim() ?? "";
  const seconds = /^\d+$/.test(said) ? Number(said) : Math.ceil((Date.parse(said) - now.getTime()) / 1000);
  // A date is never a bare or negative number, which Date.parse would take for a year.
  if (!/^\d+$/.test(said) && !/^[A-Za-z]{3}/.test(said)) return null;
  return Number.isNaN(seconds) ? null : Math.min(Math.max(seconds, 1), REST_MAX);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
