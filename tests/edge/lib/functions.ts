// The edge functions as processes of the real Deno, with as few rights as they need, and everything that they print.
//
// Must stay true: a process never outlives the file of tests that started it.
import assert from "node:assert/strict";
import { type Exchange, exchange, leaks, make, plaintext } from "../../rpc/lib/exchange.ts";
import { jwt, operator, type Person, url as rest } from "../../rpc/lib/people.ts";
import { HuggingFace } from "./hugging_face.ts";

const deno = Deno.env.get("HFTOK_DENO")!;
const folder = Deno.env.get("HFTOK_FUNCTIONS")!;
const tokens: string[] = [];
const running: Running[] = [];
globalThis.addEventListener("unload", () => running.forEach((it) => it.kill()));

/** A token, known as one that must not be seen anywhere. */
export function token(): string {
  return unseen(make.hf());
}

/** Makes a value known as one that must not be seen anywhere. */
export function unseen(value: string): string {
  tokens.push(plaintext(value));
  return value;
}

/** A key that the providers' stand-in takes as the word in it says; what is random of it is no word. */
export function worded(word: string): string {
  const random = crypto.getRandomValues(new Uint8Array(44));
  return unseen(word + Array.from(random, (n) => n % 10).join(""));
}

/** Servers of a file outlive its tests, which is what the sanitizers look for. */
export function test(name: string, fn: () => Promise<void> | void): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

/** A stand-in for Hugging Face, which the catalogue then names as the place where tokens are tested. */
export async function huggingFace(): Promise<HuggingFace> {
  const hub = new HuggingFace();
  await operator.call("unregister_provider", { p_provider: "huggingface" });
  const [{ hosts, test }] = await operator.rows("providers", { name: "huggingface" });
  const p_provider = {
    name: "huggingface",
    hosts: [...hosts, "127.0.0.1"],
    test: { ...test, url: `${hub.url}/api/whoami-v2` },
  };
  await operator.call("register_provider", { p_provider });
  return hub;
}

/** A function that is running. */
export class Running {
  readonly url: string;
  readonly #child: Deno.ChildProcess;
  readonly #printed: string[];

  private constructor(url: string, child: Deno.ChildProcess, printed: string[]) {
    this.url = url;
    this.#child = child;
    this.#printed = printed;
    running.push(this);
  }

  /** Starts one; what it needs of its environment is there unless said otherwise. */
  static async start(name: string, env: Record<string, string> = {}): Promise<Running> {
    const { child, printed } = await spawn(name, env);
    const end = Date.now() + 30_000;
    while (Date.now() < end) {
      const url = printed.join("").match(/Listening on (http:\/\/127\.0\.0\.1:\d+)/)?.[1];
      if (url) return new Running(`${url}/${name}`, child, printed);
      await new Promise((done) => setTimeout(done, 20));
    }
    child.kill("SIGKILL");
    throw new Error(`${name} did not start: ${printed.join("")}`);
  }

  /** The text that a function prints when it does not start. */
  static async refusedToStart(name: string, env: Record<string, string>): Promise<string> {
    const { child, printed, ended } = await spawn(name, env);
    const enough = setTimeout(() => child.kill("SIGKILL"), 60_000);
    const { success, signal } = await child.status;
    clearTimeout(enough);
    await ended;
    assert.equal(signal, null, "it started");
    assert(!success, "it started");
    return printed.join("");
  }

  get printed(): string {
    return this.#printed.join("");
  }

  /** A request, as somebody or with headers of its own. */
  async ask(
    who: Person | null,
    method: string,
    { path = "", body, headers = {}, signal }: {
      path?: string;
      body?: unknown;
      headers?: Record<string, string>;
      signal?: AbortSignal;
    } = {},
  ): Promise<Exchange> {
    const init = {
      method,
      signal,
      headers: { ...who?.headers, ...headers },
      body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
    };
    const [response, kept] = await exchange(who?.name ?? "nobody", false, this.url + path, init);
    await response.body?.cancel();
    return kept;
  }

  kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

async function spawn(name: string, env: Record<string, string>) {
  const needed = {
    HFTOK_REST_URL: rest,
    HFTOK_SERVICE_KEY: await jwt({ role: "service_role" }),
    DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0",
    DENO_NO_UPDATE_CHECK: "1",
    NO_COLOR: "1",
    DENO_DIR: Deno.env.get("DENO_DIR")!,
  };
  const child = new Deno.Command(deno, {
    args: [
      "run",
      "--no-prompt",
      "--cached-only",
      "--allow-env",
      "--allow-net=127.0.0.1,localhost",
      `${folder}/${name}/index.ts`,
    ],
    clearEnv: true,
    env: { ...needed, ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const printed: string[] = [];
  const ended = Promise.all([child.stdout, child.stderr].map(async (stream) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) printed.push(text);
  }));
  return { child, printed, ended };
}

/** The last test of a file: nothing that was answered or printed holds a token. */
export function nothingLeaked(): void {
  test("no token in any answer, nor in anything that was printed", () => {
    assert(tokens.length > 0 && running.length > 0, "nothing was looked at");
    assert.deepEqual(leaks(), []);
    const printed = running.map((it) => it.printed).join("");
    assert(printed.length > 0, "nothing was printed");
    assert.deepEqual(tokens.filter((it) => printed.includes(it.slice(6, -4))), []);
  });
}
