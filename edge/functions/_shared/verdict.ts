// Asking a provider what it thinks of a token, by the test request in hftok's catalogue.
//
// Must stay true: the request goes where the catalogue says and nowhere else, and only to a host that the catalogue
// lets the provider's tokens go to. Only the status of the answer counts; its body is not read. An answer that is not
// clear is `indeterminate`: nobody loses a token over a provider that is down.
import type { Hftok, Json, Verdict } from "./client/mod.ts";
import { Destination, matchesAny } from "./destination.ts";
import { send } from "./outbound.ts";
import { IdleDeadline } from "./deadline.ts";
import { Refusal } from "./refusal.ts";

/** A request that tells whether a token is one. */
export interface Test {
  destination: Destination;
  method: string;
  headers: [name: string, value: string][];
  /** The text that stands for the token in the headers. */
  placeholder: string;
  /** Status to verdict. */
  answers: { [status: string]: Json | undefined };
}

/** The result of a test. */
export interface Finding {
  verdict: Verdict;
  /** The provider's status; null when there was no answer. */
  status: number | null;
}

const DEADLINE_MS = 10_000;

/** The test request of a provider whose credentials are one text. */
export async function testOf(hftok: Hftok, provider: string): Promise<Test> {
  const [known] = await hftok.rows("providers", { name: `eq.${provider}`, select: "test,fields,hosts" });
  const test = object(known?.test);
  const fields = Array.isArray(known?.fields) ? known.fields : [];
  const placeholder = `{${object(fields[0]).name}}`;
  const headers = Object.entries(object(test.headers)).map((
    [name, value],
  ): [string, string] => [name, String(value)]);
  const isTest = typeof test.url === "string" && fields.length === 1 && !test.body &&
    headers.some(([_, value]) => value.includes(placeholder));
  if (!isTest) {
    throw new Refusal(501, "no_test", "The catalogue has no request that tests this provider's tokens here.");
  }
  const destination = Destination.of(String(test.url));
  if (!matchesAny(known?.hosts ?? [], destination.host)) {
    throw new Refusal(500, "misconfigured", "The catalogue's test goes to none of the provider's hosts.");
  }
  const method = test.method === "POST" ? "POST" : "GET";
  return {
    destination,
    method,
    headers,
    placeholder,
    answers: object(test.answers),
  };
}

/** Tests a token. */
export async function judge(test: Test, token: string, client: AbortSignal): Promise<Finding> {
  const headers = test.headers.map((
    [name, value],
  ) => [name, value.replaceAll(test.placeholder, () => token)]);
  const deadline = new IdleDeadline(DEADLINE_MS, client);
  try {
    const request = { method: test.method, headers: Object.fromEntries(headers) };
    const answer = await send(test.destination, request, deadline);
    const told = test.answers[String(answer.status)];
    return {
      verdict: told === "verified" || told === "invalid" ? told : "indeterminate",
      status: answer.status,
    };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { verdict: "indeterminate", status: null };
  } finally {
    deadline.end();
  }
}

function object(it: Json | undefined): { [key: string]: Json | undefined } {
  return typeof it === "object" && it !== null && !Array.isArray(it) ? it : {};
}
