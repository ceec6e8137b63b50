// A stand-in for Hugging Face on this machine: the Hub's whoami, the router's chat, and tasks, with models that answer
// in all the ways in which the real ones do. The owner in a model's name says how the model behaves: `gated/any`.
//
// Must stay true: it says of a token only what its own lists say, and keeps every request that it got.

/** A request that arrived. */
export interface Arrived {
  method: string;
  path: string;
  authorization: string | null;
  body: string;
  /** Settled when the request or its answer was broken off. */
  left: Promise<void>;
}

type Behaviour = (
  asked: { request: Request; token: string | null; self: HuggingFace },
) => Response | Promise<Response>;

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
const refused = (headers: Record<string, string> = {}) =>
  Response.json({ error: "Invalid username or password." }, { status: 401, headers });
const code = (name: string) => ({ "X-Error-Code": name });
const text = (value: string) => new TextEncoder().encode(value);

/** A body that comes in parts, each after a pause. */
function parts(
  all: string[],
  ms: number,
  end: (controller: ReadableStreamDefaultController<Uint8Array>) => void,
) {
  let next = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (next > 0) await pause(ms);
      const part = all[next++];
      if (part === undefined) end(controller);
      else controller.enqueue(text(part));
    },
  });
}

const events = (count: number) => Array.from({ length: count }, (_, at) => `data: {"part":${at}}\n\n`);

const MODELS: Record<string, Behaviour> = {
  public: ({ token, self }) =>
    token !== null && !self.known.has(token)
      ? refused()
      : Response.json({ answer: "fine", paid: token !== null }),
  streaming: () =>
    new Response(parts(events(9), 150, (it) => it.close()), {
      headers: { "Content-Type": "text/event-stream" },
    }),
  endless: () => new Response(parts(events(10_000), 20, (it) => it.close())),
  // More than fits between here and a client that does not read.
  large: () => new Response(parts(Array(64).fill("x".repeat(1 << 20)), 0, (it) => it.close())),
  gated: ({ token, self }) => {
    if (token !== null && self.admitted.has(token)) return Response.json({ answer: "admitted" });
    return Response.json({ error: "gated" }, {
      status: token === null ? 401 : 403,
      headers: code("GatedRepo"),
    });
  },
  private: ({ token, self }) =>
    token !== null && self.admitted.has(token)
      ? Response.json({ answer: "private" })
      : refused(code("RepoNotFound")),
  // A server behind the router with troubles of its own: it refuses tokens that are good.
  refusing: () => refused(),
  policy: () => Response.json({ error: "a policy" }, { status: 403 }),
  unpaid: () => Response.json({ error: "credits" }, { status: 402 }),
  missing: () => Response.json({ error: "no such model" }, { status: 404 }),
  limited: () => Response.json({ error: "slow down" }, { status: 429, headers: { "Retry-After": "7" } }),
  "limited-api": () => new Response(null, { status: 429, headers: { RateLimit: '"api";r=0;t=42' } }),
  loading: () => Response.json({ error: "loading", estimated_time: 20 }, { status: 503 }),
  broken: () => new Response("<html>token in here</html>", { status: 500 }),
  particular: ({ request }) =>
    Response.json({ error: `inputs missing; you sent ${request.headers.get("authorization")}` }, {
      status: 422,
    }),
  slow: async () => {
    await pause(5000);
    return Response.json({ answer: "late" });
  },
  stalled: () => new Response(parts(["one"], 5000, (it) => it.close())),
  torn: () => new Response(parts(["one"], 50, (it) => it.error(new Error("torn")))),
  // Tells what it was told, in parts that cut the token in the middle.
  echo: ({ request, token }) => {
    const said = `you are ${request.headers.get("authorization")}; again: ${token}${token}, or hf_ hf`;
    return new Response(
      parts([said.slice(0, 21), said.slice(21, 60), said.slice(60)], 20, (it) => it.close()),
    );
  },
  elsewhere: ({ self }) =>
    new Response(null, { status: 307, headers: { Location: `${self.elsewhere}/public/model` } }),
  "other-port": ({ self }) =>
    new Response(null, {
      status: 308,
      headers: { Location: self.elsewhere.replace("localhost", "127.0.0.1") },
    }),
  renamed: ({ request }) => {
    const location = new URL(request.url).pathname.replace("/renamed/", "/public/");
    return new Response(null, { status: 307, headers: { Location: location } });
  },
  "as-get": () =>
    new Response(null, { status: 303, headers: { Location: "/hf-inference/models/public/model" } }),
  nowhere: () => new Response(null, { status: 307 }),
  circling: ({ request }) => new Response(null, { status: 307, headers: { Location: request.url } }),
};

/** The stand-in, and what it saw. */
export class HuggingFace {
  /** Tokens that exist. */
  readonly known = new Set<string>();
  /** The tokens among them that may use gated and private models. */
  readonly admitted = new Set<string>();
  readonly arrived: Arrived[] = [];
  /** A step that runs when whoami is asked, before it answers. */
  onWhoami: () => Promise<void> = () => Promise.resolve();
  /** Another status than whoami's own. */
  whoamiStatus: number | null = null;
  readonly url: string;
  /** Another host, which must never be sent anything. */
  readonly elsewhere: string;
  readonly arrivedElsewhere: Arrived[] = [];
  readonly #servers: Deno.HttpServer<Deno.NetAddr>[];

  constructor() {
    const listen = (seen: Arrived[]) =>
      Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        (request) => this.#answer(request, seen),
      );
    this.#servers = [listen(this.arrived), listen(this.arrivedElsewhere)];
    const [here, there] = this.#servers.map((server) => server.addr.port);
    this.url = `http://127.0.0.1:${here}`;
    this.elsewhere = `http://localhost:${there}`;
  }

  /** The requests since the last time this was asked. */
  seen(): Arrived[] {
    return this.arrived.splice(0);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.shutdown()));
  }

  async #answer(request: Request, seen: Arrived[]): Promise<Response> {
    const { pathname } = new URL(request.url);
    const authorization = request.headers.get("authorization");
    const left = new Promise<void>((done) => request.signal.addEventListener("abort", () => done()));
    const body = await request.text();
    seen.push({ method: request.method, path: pathname, authorization, body, left });
    const token = authorization?.replace(/^Bearer /, "") ?? null;
    if (pathname === "/api/whoami-v2") return await this.#whoami(token);
    const model = pathname === "/v1/chat/completions"
      ? JSON.parse(body).model
      : pathname.replace("/hf-inference/models/", "");
    const behaviour = MODELS[model.split("/")[0]];
    return behaviour ? await behaviour({ request, token, self: this }) : new Response(null, { status: 404 });
  }

  async #whoami(token: string | null): Promise<Response> {
    await this.onWhoami();
    if (this.whoamiStatus !== null) return new Response(null, { status: this.whoamiStatus });
    if (token !== null && this.known.has(token)) return Response.json({ name: "somebody", token });
    return refused({ "X-Error-Message": "Invalid credentials in Authorization header" });
  }
}
