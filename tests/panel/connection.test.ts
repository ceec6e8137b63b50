// What every call of the panel goes through: the value that can be taken once, the way to an edge function, and its failures.
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { Failure } from "../../edge/panel/src/lib/connection/failure.ts";
import { SecretValue } from "../../edge/panel/src/lib/connection/secret_value.ts";
import { Vault } from "../../edge/panel/src/lib/connection/vault.ts";

const PLAIN = "hf_thisIsTheValue";

/** A request that arrived. */
interface Arrival {
  url: string;
  method: string;
  headers: Headers;
  body: string;
}

/** A server in the place of the functions; the requests that it got. */
async function answering(
  answer: (request: Request) => Response,
  ask: (vault: Vault, got: Arrival[]) => Promise<void>,
  getToken: () => string | null = () => "a.b.c",
): Promise<void> {
  const got: Arrival[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { url, method, headers } = request;
    got.push({ url, method, headers: new Headers(headers), body: await request.text() });
    return answer(request);
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  try {
    await ask(
      new Vault({
        rest: `${url}/rest/`,
        functions: `${url}/functions/`,
        apikey: "sb_publishable_x",
        getToken,
      }),
      got,
    );
  } finally {
    await server.shutdown();
  }
}

async function failure(call: Promise<unknown>): Promise<Failure> {
  const error: unknown = await call.then(() => null, (error: unknown) => error);
  assert(error instanceof Failure, inspect(error));
  return error;
}

Deno.test("a value is taken once, and nothing that prints or copies shows it before or after", () => {
  const value = new SecretValue(PLAIN);
  for (
    const text of [
      JSON.stringify({ value }),
      inspect(value, { depth: 9, showHidden: true }),
      String(value),
      JSON.stringify(Object.entries(value)),
    ]
  ) {
    assert(!text.includes(PLAIN), text);
  }
  assert.throws(() => structuredClone({ value }).value.take());
  assert.equal(value.take(), PLAIN);
  assert.throws(() => value.take(), { message: "This value was taken before." });
});

Deno.test("a value that nobody took can be forgotten", () => {
  const value = new SecretValue({ api_key: PLAIN });
  value.wipe();
  assert.throws(() => value.take());
});

Deno.test("a call goes where it is meant, with the value in its body and nowhere else", async () => {
  await answering(() => Response.json({ ok: true, id: "1" }), async (vault, got) => {
    const request = {
      method: "POST",
      path: "groq/test",
      query: { model: "a&b", org_id: undefined, global: false },
      body: { secret: PLAIN },
    } as const;
    assert.deepEqual(await vault.call("provider-secrets", request), { ok: true, id: "1" });
    const [{ url, method, headers, body } = assert.fail()] = got;
    assert.equal(
      new URL(url).pathname + new URL(url).search,
      "/functions/provider-secrets/groq/test?model=a%26b",
    );
    assert.deepEqual([method, body], ["POST", JSON.stringify({ secret: PLAIN })]);
    assert.deepEqual([headers.get("Authorization"), headers.get("apikey")], [
      "Bearer a.b.c",
      "sb_publishable_x",
    ]);
    assert(![url, ...headers.values()].some((it) => it.includes(PLAIN)));
  });
});

Deno.test("without somebody who is signed in nothing is sent", async () => {
  await answering(() => Response.json({ ok: true }), async (vault, got) => {
    assert.equal((await failure(vault.call("provider-secrets", { method: "GET" }))).code, "unauthenticated");
    assert.deepEqual(got, []);
  }, () => null);
});

Deno.test("a refusal of a function is told with its facts", async () => {
  const error = { code: "unusable", message: "It cannot be used.", level: "org", outcome: "expired" };
  const refusal = () => Response.json({ ok: false, error }, { status: 422, headers: { "Retry-After": "7" } });
  await answering(refusal, async (vault) => {
    const { code, status, level, outcome, retryAfter, message } = await failure(
      vault.call("x", { method: "GET" }),
    );
    assert.deepEqual({ code, status, level, outcome, retryAfter, message }, {
      ...error,
      status: 422,
      retryAfter: 7,
    });
  });
});

Deno.test("what a gateway in front answers is known by its status, and none of its text is passed on", async () => {
  const codes = {
    401: "unauthenticated",
    403: "not_allowed",
    404: "no_such_call",
    429: "too_often",
    502: "unreachable",
    418: "unexpected",
  };
  for (const [status, code] of Object.entries(codes)) {
    await answering(
      () => new Response(`<html>${PLAIN}</html>`, { status: Number(status) }),
      async (vault) => {
        const told = await failure(vault.call("x", { method: "GET" }));
        assert.equal(told.code, code);
        assert(!told.message.includes(PLAIN));
      },
    );
  }
});

Deno.test("an answer that is no JSON is unexpected, and is not quoted", async () => {
  await answering(() => new Response(PLAIN), async (vault) => {
    const told = await failure(vault.call("x", { method: "GET" }));
    assert.equal(told.code, "unexpected");
    assert(!inspect(told).includes(PLAIN));
  });
});

Deno.test("a redirect is not followed: what was sent may hold a value", async () => {
  const elsewhere = () => new Response(null, { status: 307, headers: { Location: "/elsewhere" } });
  await answering(elsewhere, async (vault, got) => {
    assert.equal(
      (await failure(vault.call("x", { method: "POST", body: { secret: PLAIN } }))).code,
      "unreachable",
    );
    assert.equal(got.length, 1);
  });
});

Deno.test("who gives up gets their own reason, and not a failure", async () => {
  await answering(() => Response.json({}), async (vault) => {
    const reason = new Error("given up");
    await assert.rejects(vault.call("x", { method: "GET", signal: AbortSignal.abort(reason) }), reason);
  });
});

Deno.test("what is neither a failure nor an error of the client is unexpected, without its text", () => {
  const told = Failure.of(new TypeError(`cannot read ${PLAIN}`));
  assert.equal(told.code, "unexpected");
  assert(!told.message.includes(PLAIN));
});
