// The request by which a provider says whether it takes a credential, as hftok's catalogue describes it.
//
// Must stay true: the credential goes over TLS to a host that the catalogue lets the provider's credentials go to (without TLS to this
// machine only), and no redirect takes it elsewhere. Only the status of the answer counts: one that is not clear is `indeterminate`,
// and nobody loses a credential over a provider that is down.
import type { Verdict } from "./client.ts";
import type { Json } from "./schema/database.ts";
import type { Views } from "./schema/views.ts";

/** The result of a test. */
export interface Finding {
  verdict: Verdict;
  /** The provider's status; null when it was not asked, or did not answer. */
  status: number | null;
}

/** A request that tells whether a credential is one. */
export interface ProviderTest {
  url: URL;
  method: string;
  headers: [name: string, value: string][];
  /** The field of the credential, and the text that stands for it in the headers. */
  field: string;
  /** Status to verdict. */
  answers: { [status: string]: Json | undefined };
}

const DEADLINE_MS = 10_000;
const LOOPBACK = ["127.0.0.1", "[::1]", "localhost"];

/** The test of a provider whose credentials are one text; null when there is none that can be made here. */
export function testOf(provider: Views["providers"]["Row"]): ProviderTest | null {
  const test = object(provider.test);
  const fields = Array.isArray(provider.fields) ? provider.fields : [];
  const field = object(fields[0]).name;
  if (typeof test.url !== "string" || typeof field !== "string" || fields.length !== 1 || test.body) {
    return null;
  }
  if (!URL.canParse(test.url)) return null;
  const url = new URL(test.url);
  const isLocal = LOOPBACK.includes(url.hostname);
  const host = isLocal ? url.hostname : url.host;
  const isSafe = url.protocol === "https:" || (url.protocol === "http:" && isLocal);
  if (!isSafe || url.username !== "" || url.password !== "") return null;
  if (!(provider.hosts ?? []).some((pattern) => matches(pattern.toLowerCase(), host))) return null;
  const headers = Object.entries(object(test.headers)).map((
    [name, value],
  ): [string, string] => [name, String(value)]);
  if (!headers.some(([_, value]) => value.includes(`{${field}}`))) return null;
  const method = test.method === "POST" ? "POST" : "GET";
  return { url, method, headers, field, answers: object(test.answers) };
}

/** Makes the request with a credential. */
export async function ask(test: ProviderTest, credential: Json, signal?: AbortSignal): Promise<Finding> {
  const value = typeof credential === "string" ? credential : object(credential)[test.field];
  if (typeof value !== "string") return { verdict: "indeterminate", status: null };
  const limit = AbortSignal.timeout(DEADLINE_MS);
  try {
    const answer = await fetch(test.url, {
      method: test.method,
      headers: test.headers.map((
        [name, text],
      ): [string, string] => [name, text.replaceAll(`{${test.field}}`, () => value)]),
      redirect: "error",
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    await answer.body?.cancel();
    const told = test.answers[String(answer.status)];
    const verdict = told === "verified" || told === "invalid" ? told : "indeterminate";
    return { verdict, status: answer.status };
  } catch {
    if (signal?.aborted) throw signal.reason;
    // The error may quote a header, so nothing of it is passed on.
    return { verdict: "indeterminate", status: null };
  }
}

/** Read as hftok reads hosts: `*` is one label, and `*.` in front one or more. */
function matches(pattern: string, host: string): boolean {
  const isOpen = pattern.startsWith("*.");
  const wanted = (isOpen ? pattern.slice(2) : pattern).split(".").reverse();
  const labels = host.split(".").reverse();
  const isAsLong = isOpen ? labels.length > wanted.length : labels.length === wanted.length;
  return isAsLong && wanted.every((label, at) => label === "*" || label === labels[at]);
}

function object(it: Json | undefined): { [key: string]: Json | undefined } {
  return typeof it === "object" && it !== null && !Array.isArray(it) ? it : {};
}
