// Every request of a test file and its answer, so that the last test can look through all of them.

/** A request and what came back. */
export interface Exchange {
  who: string;
  /** Whether this one may be given plaintext. */
  trusted: boolean;
  method: string;
  url: string;
  status: number;
  statusText: string;
  headers: Headers;
  body: string;
}

const exchanges: Exchange[] = [];
const plaintexts = new Set<string>();

/** The only messages there are for a status of our own: they become the status line. */
const MESSAGES: Record<string, string> = {
  PT404: "Not Found",
  PT405: "Method Not Allowed",
  PT409: "Conflict",
  PT413: "Content Too Large",
  PT422: "Unprocessable Entity",
  PT429: "Too Many Requests",
};

/** Sends a request and keeps the exchange. */
export async function exchange(
  who: string,
  trusted: boolean,
  input: string | URL | Request,
  init?: RequestInit,
): Promise<[Response, Exchange]> {
  const response = await fetch(input, init);
  const kept = {
    who,
    trusted,
    method: init?.method ?? "GET",
    url: String(input instanceof Request ? input.url : input),
    status: response.status,
    statusText: response.statusText,
    headers: response.headers,
    body: await response.clone().text(),
  };
  exchanges.push(kept);
  return [response, kept];
}

/** Letters and digits, without small vowels: no word comes about by chance, and the providers' stand-in listens to words in keys. */
export function letters(length: number): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZbcdfghjklmnpqrstvwxyz0123456789";
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (n) => alphabet[n % alphabet.length])
    .join("");
}

/** Makes it known as a value that nobody but the service may ever be shown. */
export function plaintext(value: string): string {
  plaintexts.add(value);
  return value;
}

/** Values that providers would accept. */
export const make = {
  hf: () => plaintext("hf_" + letters(34)),
  openai: () => plaintext("sk-proj-" + letters(48)),
  anthropic: () => plaintext("sk-ant-api03-" + letters(48)),
  text: () => plaintext("correct horse " + letters(24)),
};

/** The part of a value that no preview shows. */
function core(value: string): string {
  return value.length > 24 ? value.slice(13, -4) : value;
}

/** An exchange in one line. */
export function describe(of: Exchange): string {
  return `${of.who}: ${of.method} ${of.url.replace(/^https?:\/\/[^/]*/, "")} -> ${of.status} ${
    of.body.slice(0, 200)
  }`;
}

/** A list of what went wrong, short enough to be read: ten of it. */
export function few(wrong: string[]): string[] {
  const different = [...new Set(wrong)];
  return different.length > 10 ? [...different.slice(0, 10), `and ${different.length - 10} more`] : different;
}

/** Answers that hold a value and must not. */
export function leaks(): string[] {
  const cores = [...plaintexts].map(core);
  const forms = cores.flatMap((text) => [text, hex(text)]);
  return exchanges
    .filter((of) => !of.trusted || of.status >= 400)
    .filter((of) => {
      const answer = of.statusText + "\n" + [...of.headers].map((header) => header.join(": ")).join("\n") +
        "\n" + of.body;
      return forms.some((form) => answer.includes(form));
    })
    .map(describe);
}

/** Answers with a status of ours that says more than it may. */
export function talkative(): string[] {
  return exchanges
    .filter((of) => /^PT\d\d\d$/.test(parsed(of)?.code ?? ""))
    .filter((of) => parsed(of).message !== MESSAGES[parsed(of).code])
    .map(describe);
}

/** Answers that hftok never gives. */
export function failures(): string[] {
  return exchanges.filter((of) => of.status >= 500 && of.status !== 503).map(describe);
}

/** The number of exchanges, and the number of plaintexts. */
export function counts(): [number, number] {
  return [exchanges.length, plaintexts.size];
}

function parsed(of: Exchange): any {
  try {
    return JSON.parse(of.body);
  } catch {
    return undefined;
  }
}

function hex(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
