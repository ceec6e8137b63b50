// The request by which a provider says whether it takes a credential, as hftok's catalogue describes it: for every provider, also
// for credentials of several fields and for those that are signed with.
//
// Must stay true:
// - A credential goes over TLS to a host that the catalogue lets the provider's credentials go to (without TLS to this machine
//   only), and no redirect takes it elsewhere: none is followed.
// - A value is encoded for the place where it stands, so that none becomes more of the request than itself.
// - The beginning of an answer's body is read only where the catalogue looks into it, for the verdict, and passed nowhere.
import { scopeOf, sign, type Unsigned } from "./aws_signature.ts";
import { assertion } from "./google_assertion.ts";
import { hostOf, isSafe, matchesAny } from "./host.ts";
import { object, parsed } from "./json.ts";
import type { Json } from "./schema/database.ts";
import type { Views } from "./schema/views.ts";
import {
  type Answers,
  type Finding,
  findingOf,
  looksInside,
  type Reason,
  unanswered,
} from "./test_answer.ts";

/** A request that tells whether a credential is one. `{name}` stands for a field, or for what is made of the fields. */
export interface ProviderTest {
  /** The provider's name for people. */
  label: string;
  /** The host that it goes to, and for which a credential must be released; null where the credential says it. */
  host: string | null;
  method: "GET" | "POST";
  url: string;
  headers: [name: string, value: string][];
  body: string | null;
  fields: { name: string; isOptional: boolean }[];
  hosts: string[];
  answers: Answers;
}

/** What a test can be told beside the credential. */
export interface Circumstances {
  /** The time that the provider may take. */
  deadlineMs?: number;
  /** The time that signatures say. */
  now?: Date;
}

type Values = Record<string, string>;

const DEADLINE_MS = 10_000;
const BODY_MAX = 64 * 1024;
const PLACEHOLDER = /\{(\w+)\}/g;
/** A signature of the whole request, and a JWT that is signed with a private key. */
const AWS = "aws_sigv4";
const GOOGLE = "signed_jwt";

/** The test of a provider; null when the catalogue describes none, or one that takes credentials nowhere or elsewhere. */
export function testOf(provider: Views["providers"]["Row"]): ProviderTest | null {
  const said = object(provider.test);
  const fields = (Array.isArray(provider.fields) ? provider.fields : []).map(object);
  if (typeof said.url !== "string" || fields.some(({ name }) => typeof name !== "string")) return null;
  const headers = Object.entries(object(said.headers));
  const test: ProviderTest = {
    label: provider.label ?? provider.name ?? "",
    host: null,
    method: said.method === "POST" ? "POST" : "GET",
    url: said.url,
    headers: headers.map(([name, value]) => [name, String(value)]),
    body: typeof said.body === "string" ? said.body : null,
    fields: fields.map(({ name, optional }) => ({ name: String(name), isOptional: optional === true })),
    hosts: provider.hosts ?? [],
    answers: object(said.answers),
  };
  const secrets = fields.filter(({ secret }) => secret === true).map(({ name }) => `{${name}}`);
  const sent = [test.url, test.body ?? "", ...test.headers.map(([_, value]) => value)].join("\n");
  // A request without the credential says nothing of it.
  if (![...secrets, `{${AWS}}`, `{${GOOGLE}}`].some((it) => sent.includes(it))) return null;
  if (leading(test) !== null) return test;
  // Fields in the address stand behind the host: what is in front is the catalogue's alone.
  const url = addressOf(test, {});
  return url === null ? null : { ...test, host: hostOf(url) };
}

/** The host that a test takes this credential to; null when there is none that it may go to. */
export function hostFor(test: ProviderTest, credential: Json): string | null {
  const url = addressOf(test, valuesOf(test, credential));
  return url && hostOf(url);
}

/** Makes the request with a credential: the text of a single field, or an object, which may be JSON text. */
export async function ask(
  test: ProviderTest,
  credential: Json,
  signal?: AbortSignal,
  { deadlineMs = DEADLINE_MS, now = new Date() }: Circumstances = {},
): Promise<Finding> {
  const values = valuesOf(test, credential);
  if (test.fields.some(({ name, isOptional }) => !isOptional && (values[name] ?? "") === "")) {
    return unanswered("incomplete");
  }
  const request = await requestOf(test, values, now);
  if (typeof request === "string") return unanswered(request);
  const limit = AbortSignal.timeout(deadlineMs);
  try {
    const answer = await answerTo(test, request, signal ? AbortSignal.any([signal, limit]) : limit);
    const { status, headers } = answer;
    const body = looksInside(test.answers, status) ? await beginning(answer) : "";
    if (!answer.bodyUsed) await answer.body?.cancel();
    return findingOf(test.answers, { status, headers, body }, now);
  } catch {
    if (signal?.aborted) throw signal.reason;
    // The error may quote a header, so nothing of it is passed on.
    return unanswered(limit.aborted ? "timeout" : "unreachable");
  }
}

/** The answer to a request. */
async function answerTo(test: ProviderTest, request: Unsigned, signal: AbortSignal): Promise<Response> {
  const { url, ...init } = request;
  const send = () => fetch(url, { ...init, redirect: "manual", signal });
  const answer = await send();
  if (answer.status !== 403 || !isSignedByAws(test)) return answer;
  // Amazon refuses a right secret that follows a wrong one of the same key within seconds, as it does when somebody corrects a slip; asked
  // again over another connection it says what it means. So the first answer stays open until then.
  try {
    return await send();
  } finally {
    await answer.body?.cancel();
  }
}

/** The request as it is sent, or why it is not. */
async function requestOf(test: ProviderTest, values: Values, now: Date): Promise<Unsigned | Reason> {
  const url = addressOf(test, values);
  if (url === null) return leading(test) === null ? "unsendable" : "other_host";
  const { body, isTyped } = bodyEncoding(test);
  const sent = `${test.body}\n${test.headers.map(([_, value]) => value).join("\n")}`;
  const made: Values = { ...values };
  if (sent.includes(`{${GOOGLE}}`)) {
    const account = { clientEmail: values.client_email ?? "", privateKey: values.private_key ?? "" };
    const audience = url.origin + url.pathname;
    const jwt = await assertion({ ...account, privateKeyId: values.private_key_id }, audience, now);
    if (jwt === null) return "unsendable";
    made[GOOGLE] = jwt;
  }
  const headers: [string, string][] = [];
  for (const [name, text] of test.headers.filter(([_, text]) => !text.includes(`{${AWS}}`))) {
    const value = filled(text, made, inHeader);
    if (value === null) return "unsendable";
    headers.push([name, value]);
  }
  if (!isTyped && test.body !== null) headers.push(["Content-Type", body.type]);
  const content = test.body === null ? undefined : filled(test.body, made, body.encode);
  if (content === null) return "unsendable";
  const request: Unsigned = { method: test.method, url, headers, body: content };
  return isSignedByAws(test) ? await signedByAws(request, values, now) : request;
}

/** The request with Amazon's signature. */
async function signedByAws(request: Unsigned, values: Values, now: Date): Promise<Unsigned | Reason> {
  // Keys of other partitions are unknown to Amazon's common hosts, which would call a good one invalid.
  if (/^(cn|us-gov|us-iso|eu-isoe)\w*-/.test(values.region ?? "")) return "no_test";
  const key = {
    accessKeyId: values.access_key_id ?? "",
    secretAccessKey: values.secret_access_key ?? "",
    sessionToken: values.session_token || undefined,
  };
  if (Object.values(key).some((value) => inHeader(value ?? "") === null)) return "unsendable";
  const added = await sign(request, key, scopeOf(request.url.host), now);
  return { ...request, headers: [...request.headers, ...Object.entries(added)] };
}

function isSignedByAws({ headers }: ProviderTest): boolean {
  return headers.some(([_, text]) => text.includes(`{${AWS}}`));
}

/** The name of the field that the address begins with, as it does where each customer has a host of their own. */
function leading({ url, fields }: ProviderTest): string | null {
  const name = /^\{(\w+)\}(?:\/|$)/.exec(url)?.[1];
  return fields.some((field) => field.name === name) ? name ?? null : null;
}

/** The address with its fields; null when it is none that a credential of this provider may be sent to. */
function addressOf(test: ProviderTest, values: Values): URL | null {
  const field = leading(test);
  // The authority is the catalogue's or the endpoint's; a field of any other name could make another host of it.
  const [, origin, rest] =
    (field === null ? /^(\w+:\/\/[^/?#\\{}]+)(.*)$/s : /^(\{\w+\})(.*)$/s).exec(test.url) ?? [];
  const base = field === null ? origin : endpoint(values[field]);
  const path = rest === undefined ? null : filled(rest, values, inAddress);
  if (!base || path === null || !URL.canParse(base + path)) return null;
  const url = new URL(base + path);
  return isSafe(url) && matchesAny(test.hosts, hostOf(url)) ? url : null;
}

/** An endpoint of a customer's own, without what a path cannot follow; null when there is more. */
function endpoint(text: string | undefined): string | null {
  if (text === undefined || !URL.canParse(text)) return null;
  const url = new URL(text);
  return isSafe(url) && url.search === "" ? url.origin + url.pathname.replace(/\/+$/, "") : null;
}

/** A text with its fields, each encoded; null when one cannot be. A field that is not there is empty. */
function filled(text: string, values: Values, encode: (value: string) => string | null): string | null {
  let isSound = true;
  const whole = text.replace(PLACEHOLDER, (_, name: string) => {
    const value = encode(values[name] ?? "");
    isSound &&= value !== null;
    return value ?? "";
  });
  return isSound ? whole : null;
}

function inAddress(value: string): string | null {
  // A segment of dots would be another path.
  return /^\.{1,2}$/.test(value) ? null : inForm(value);
}

function inHeader(value: string): string | null {
  return /^[\x20-\x7e]*$/.test(value) ? value : null;
}

function inForm(value: string): string | null {
  try {
    return encodeURIComponent(value);
  } catch {
    // Half of a character.
    return null;
  }
}

/** Without its quotation marks, which the catalogue's text has. */
function inJson(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

/** How values stand in the body, and the type that goes with it where the catalogue says none. */
function bodyEncoding({ body, headers }: ProviderTest) {
  const type = headers.find(([name]) => name.toLowerCase() === "content-type")?.[1];
  const isJson = type === undefined ? isDocument(body) : /\bjson\b/i.test(type);
  return {
    body: isJson
      ? { type: "application/json", encode: inJson }
      : { type: "application/x-www-form-urlencoded", encode: inForm },
    isTyped: type !== undefined,
  };
}

/** The fields of a credential that are texts. */
function valuesOf({ fields }: ProviderTest, credential: Json): Values {
  const [first] = fields;
  if (typeof credential === "string" && fields.length === 1 && first) return { [first.name]: credential };
  const whole = object(typeof credential === "string" ? parsed(credential) : credential);
  const texts = fields.map(({ name }): [string, Json | undefined] => [name, whole[name]]);
  return Object.fromEntries(texts.filter((it): it is [string, string] => typeof it[1] === "string"));
}

/** The beginning of a body, as text. */
async function beginning(answer: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const chunk of chunksOf(answer)) {
    text += decoder.decode(chunk.subarray(0, BODY_MAX - length), { stream: true });
    length += chunk.length;
    if (length >= BODY_MAX) break;
  }
  return text;
}

/** Not every browser can iterate over a stream. */
async function* chunksOf(answer: Response): AsyncGenerator<Uint8Array> {
  const reader = answer.body?.getReader();
  if (!reader) return;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    await reader.cancel();
  }
}

/** Whether a text of the catalogue is JSON of several parts. */
function isDocument(text: string | null): boolean {
  const value = parsed(text ?? "");
  return typeof value === "object" && value !== null;
}
