// The example that moves what an application encrypted itself: a dry run, a run that is killed, its resumption, and rubbish.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createCipheriv, randomBytes } from "node:crypto";
import { make } from "../rpc/lib/exchange.ts";
import { jwt, service, url } from "../rpc/lib/people.ts";
import { query, sql, until } from "../rpc/lib/server.ts";

const deno = Deno.env.get("HFTOK_DENO")!;
const script = new URL("../../edge/examples/move_sealed_values.ts", import.meta.url).pathname;
const key = randomBytes(32);
const values: string[] = [];
const USERS = 1500;

/** As an application in Node does it. */
function sealed(value: string, by = key): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", by, iv);
  const ciphertext = Buffer.concat([cipher.update(value, "utf8"), cipher.final()]);
  return [iv, cipher.getAuthTag(), ciphertext].map((part) => part.toString("hex")).join(":");
}

function value(): string {
  const made = make.hf();
  values.push(made);
  return made;
}

interface Kept {
  user_id: string;
  provider: string;
  encrypted_key: string | null;
}

/** The application's table; ids are given in this order, from 1. */
async function table(name: string, rows: Kept[]): Promise<void> {
  const json = JSON.stringify(rows).replaceAll("'", "''");
  await sql(
    `CREATE TABLE public.${name} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id text, provider text, encrypted_key text);
     INSERT INTO public.${name} (user_id, provider, encrypted_key)
     SELECT r.user_id, r.provider, r.encrypted_key FROM json_to_recordset('${json}')
         AS r (user_id text, provider text, encrypted_key text);
     GRANT SELECT ON public.${name} TO service_role; NOTIFY pgrst, 'reload schema'`,
  );
  await until(async () =>
    (await service.raw("GET", `/${name}?limit=0`, undefined, { "Accept-Profile": "public" })).status === 200
  );
}

async function start(args: string[], env: Record<string, string> = {}): Promise<Deno.ChildProcess> {
  return new Deno.Command(deno, {
    args: ["run", "--no-prompt", "--cached-only", "--allow-env", "--allow-net=127.0.0.1", script, ...args],
    clearEnv: true,
    env: {
      HFTOK_REST_URL: url,
      HFTOK_SERVICE_KEY: await jwt({ role: "service_role" }),
      APP_ENCRYPTION_KEY: key.toString("hex"),
      DENO_DIR: Deno.env.get("DENO_DIR")!,
      NO_COLOR: "1",
      ...env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** The exit status, and the printed text, in which no moved value may stand. */
async function end(child: Deno.ChildProcess): Promise<{ code: number; printed: string }> {
  const { code, stdout, stderr } = await child.output();
  const printed = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.deepEqual(values.filter((it) => printed.includes(it.slice(4, -4))), []);
  assert(!printed.includes(key.toString("hex")) && !printed.includes(key.toString("base64")));
  return { code, printed };
}

const run = async (args: string[], env: Record<string, string> = {}) => await end(await start(args, env));
const moved = async (like: string): Promise<number> =>
  (await query(
    `SELECT count(*)::int AS n FROM hftok_private.secrets WHERE scope = 'user' AND scope_id LIKE '${like}'`,
  ))[0].n;
const rows = () => sql("SELECT md5(string_agg(s::text, '' ORDER BY id)) FROM hftok_private.secrets s");

const users = Array.from({ length: USERS }, (_, n) => ({ user_id: `move-${n}`, value: value() }));
await table(
  "user_keys",
  users.map(({ user_id, value }) => ({ user_id, provider: "huggingface", encrypted_key: sealed(value) })),
);

Deno.test("without --apply it only looks", async () => {
  const before = await rows();
  const { code, printed } = await run(["--table", "user_keys"]);
  assert.equal(
    printed.trim(),
    `${USERS} read, ${USERS} to be moved (this was a dry run: --apply moves them), 0 already there, 0 left`,
  );
  assert.deepEqual([code, await moved("move-%"), await rows()], [0, 0, before]);
});

Deno.test("killed in the middle and run again, it moves every value once", async () => {
  const child = await start(["--table", "user_keys", "--apply", "--batch", "20"]);
  await until(async () => await moved("move-%") > 200);
  child.kill("SIGKILL");
  await end(child);
  // The server still saves the requests that the killed script had sent.
  const busy = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'authenticator' AND state <> 'idle'";
  await until(async () => (await sql(busy)) === "0");
  const before = await moved("move-%");
  assert(before < USERS, "it was done before it was killed");
  assert.equal(before % 20, 0, "a batch is moved as a whole or not at all");

  const { code, printed } = await run(["--table", "user_keys", "--apply", "--batch", "20"]);
  assert.equal(printed.trim(), `${USERS} read, ${USERS - before} moved, ${before} already there, 0 left`);
  assert.equal(code, 0);
  const versions = await query(
    `SELECT version, count(*)::int AS n FROM hftok_private.secrets WHERE scope_id LIKE 'move-%' GROUP BY 1`,
  );
  assert.deepEqual(versions, [{ version: 1, n: USERS }], "nothing was written twice");
  for (const { user_id, value } of users) {
    const { token } = await service.call("resolve_token", { p_provider: "huggingface", p_user_id: user_id });
    assert.equal(token, value);
  }
});

Deno.test("run once more, it changes nothing; what a user saved since stays", async () => {
  const newer = value();
  await service.call("save_hf_token", { p_token: newer, p_user_id: "move-7" });
  const before = await rows();
  const { code, printed } = await run(["--table", "user_keys", "--apply"]);
  assert.equal(printed.trim(), `${USERS} read, 0 moved, ${USERS} already there, 0 left`);
  assert.deepEqual([code, await rows()], [0, before]);
  assert.equal(await service.call("resolve_hf_token", { p_user_id: "move-7" }), newer);
});

Deno.test("what a user saves in the very moment in which it is moved stays, too", async () => {
  const newer = value();
  await table(
    "race",
    ["a", "b", "c"].map((it) => ({
      user_id: `race-${it}`,
      provider: "huggingface",
      encrypted_key: sealed(value()),
    })),
  );
  // Between the look whether there is one, and the saving.
  const between = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const { method, headers } = request;
    const answer = await fetch(url + pathname + search, {
      method,
      headers,
      body: await request.text() || undefined,
    });
    if (pathname === "/credentials") {
      await service.call("save_hf_token", { p_token: newer, p_user_id: "race-b" });
    }
    return new Response(await answer.text(), { status: answer.status });
  });
  const { code, printed } = await run(["--table", "race", "--apply"], {
    HFTOK_REST_URL: `http://127.0.0.1:${between.addr.port}`,
  });
  await between.shutdown();
  assert.deepEqual([code, printed.trim()], [0, "3 read, 2 moved, 1 already there, 0 left"]);
  assert.equal(await service.call("resolve_hf_token", { p_user_id: "race-b" }), newer);
});

Deno.test("rubbish is named by its row, and does not keep the rest from being moved", async () => {
  const good = [value(), make.openai(), value()];
  values.push(good[1]!);
  const id = crypto.randomUUID().toUpperCase();
  const kept: [string, string, string | null][] = [
    ["rubbish-a", "huggingface", sealed(good[0]!)],
    ["rubbish-b", "huggingface", null],
    ["rubbish-c", "huggingface", ""],
    ["rubbish-d", "huggingface", sealed(value(), randomBytes(32))],
    ["rubbish-e", "huggingface", value()],
    ["rubbish-f", "huggingface", sealed(good[0]!).replace(/:..$|.$/, "0:")],
    ["rubbish-g", "huggingface", sealed("your-token-here")],
    ["rubbish-h", "huggingface", sealed(make.openai())],
    ["rubbish-a", "huggingface", sealed(value())],
    ["rubbish-i", "there is none", sealed(value())],
    ["", "huggingface", sealed(value())],
    ['rubbish-"quoted", (j)', "openai", sealed(good[1]!)],
    [id, "huggingface", sealed(good[2]!)],
    [id.toLowerCase(), "huggingface", sealed(value())],
  ];
  await table(
    "rubbish",
    kept.map(([user_id, provider, encrypted_key]) => ({ user_id, provider, encrypted_key })),
  );
  const named = (printed: string) =>
    printed.split("\n").flatMap((line) => line.match(/^row (\d+): .{10,}/)?.[1] ?? []);
  const wrong = ["2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "14"];
  const numbers = (printed: string) => named(printed).sort((a, b) => Number(a) - Number(b));

  const looked = await run(["--table", "rubbish"]);
  assert.deepEqual([looked.code, numbers(looked.printed)], [1, wrong], looked.printed);
  assert.match(looked.printed, /14 read, 3 to be moved .*, 0 already there, 11 left/);
  assert.equal(await moved("rubbish%"), 0);
  for (const [read, there] of [["3 moved", "0"], ["0 moved", "3"]]) {
    const done = await run(["--table", "rubbish", "--apply", "--batch", "5"]);
    assert.deepEqual([done.code, numbers(done.printed)], [1, wrong], done.printed);
    assert(done.printed.includes(`14 read, ${read}, ${there} already there, 11 left`), done.printed);
  }
  const stored = async (p_user_id: string, p_provider = "huggingface") =>
    (await service.call("resolve_token", { p_provider, p_user_id })).token;
  assert.deepEqual(
    [await stored("rubbish-a"), await stored('rubbish-"quoted", (j)', "openai"), await stored(id)],
    good,
  );
});

Deno.test("one provider for all rows, other columns, a key that is no number", async () => {
  const one = value();
  await sql(
    `CREATE TABLE public.accounts (name text PRIMARY KEY, owner uuid DEFAULT gen_random_uuid(), token text);
     INSERT INTO public.accounts (name, token) SELECT 'account ' || n, '${
      sealed(one)
    }' FROM generate_series(1, 25) n;
     GRANT SELECT ON public.accounts TO service_role; NOTIFY pgrst, 'reload schema'`,
  );
  await until(async () =>
    (await service.raw("GET", "/accounts?limit=0", undefined, { "Accept-Profile": "public" })).status === 200
  );
  const flags = [
    "--table",
    "accounts",
    "--key",
    "name",
    "--owner",
    "owner",
    "--value",
    "token",
    "--batch",
    "10",
  ];
  const { code, printed } = await run([...flags, "--provider-name", "huggingface", "--apply"]);
  assert.deepEqual([code, printed.trim()], [0, "25 read, 25 moved, 0 already there, 0 left"]);
});

Deno.test("own keys of models arrive as the keys of these models, and an organisation's as the organisation's", async () => {
  const own = [1, 2, 3, 4, 5].map(() => value());
  const [orgs, orgsModel, plain] = [value(), value(), value()];
  const kept = [
    ...own.map((it, n) => ["modelist", null, `org/model-${n + 1}`, it]),
    ["modelist", null, "org/model-1", value()],
    ["modelist", null, " ", value()],
    ["modelist", "acme", "org/model-9", value()],
    [null, "acme", "org/model-1", orgsModel],
    [null, null, "org/model-1", value()],
  ];
  const rows = (kept: (string | null)[][]) =>
    kept.map((row) => `(${row.map((it) => it === null ? "NULL" : `'${it}'`).join(", ")})`).join(", ");
  await sql(
    `CREATE TABLE public.llm_models (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id text, team text, model text, encrypted_key text);
     CREATE TABLE public.teams (id text PRIMARY KEY, encrypted_key text);
     INSERT INTO public.llm_models (user_id, team, model, encrypted_key) VALUES ${
      rows(kept.map(([user, team, model, it]) => [user!, team!, model!, sealed(it!)]))
    };
     INSERT INTO public.teams VALUES ${rows([["acme", sealed(orgs)]])};
     GRANT SELECT ON public.llm_models, public.teams TO service_role; NOTIFY pgrst, 'reload schema'`,
  );
  await service.call("save_hf_token", { p_token: plain, p_user_id: "modelist" });
  await service.call("add_member", { p_org_id: "acme", p_user_id: "modelist" });
  for (const table of ["llm_models", "teams"]) {
    await until(async () =>
      (await service.raw("GET", `/${table}?limit=0`, undefined, { "Accept-Profile": "public" })).status ===
        200
    );
  }
  const flags = ["--provider-name", "huggingface"];
  const models = [
    "--table",
    "llm_models",
    "--owner",
    "user_id",
    "--org",
    "team",
    "--model",
    "model",
    ...flags,
  ];
  const looked = await run(models);
  assert.match(looked.printed, /10 read, 6 to be moved .*, 0 already there, 4 left/);
  for (
    const line of [
      "row 6: row 1 has the same",
      "row 7: it names no model",
      "row 8: it has a user and",
      "row 10: it has no owner",
    ]
  ) {
    assert(looked.printed.includes(line), looked.printed);
  }
  for (const count of ["6 moved, 0 already there", "0 moved, 6 already there"]) {
    assert.match((await run([...models, "--apply"])).printed, new RegExp(`10 read, ${count}, 4 left`));
  }
  const done = await run(["--table", "teams", "--org", "id", ...flags, "--apply"]);
  assert.deepEqual([done.code, done.printed.trim()], [0, "1 read, 1 moved, 0 already there, 0 left"]);

  const resolved = async (user: string | null, model: string | null, levels: string[]) =>
    await service.call("resolve_hf_token", {
      p_user_id: user,
      p_org_id: "acme",
      p_model: model,
      p_levels: levels,
    });
  for (const [n, it] of own.entries()) {
    assert.equal(await resolved("modelist", `org/model-${n + 1}`, ["user_model"]), it);
  }
  assert.equal(
    await resolved("modelist", null, ["user"]),
    plain,
    "the user's own for all models is left alone",
  );
  assert.equal(await resolved("modelist", "org/model-1", ["org_model"]), orgsModel);
  assert.equal(await resolved("modelist", null, ["org"]), orgs);
});

Deno.test("what it cannot do it says, and stops", async () => {
  const flags = ["--table", "user_keys", "--apply"];
  const cases: [string[], Record<string, string>, RegExp][] = [
    [["--table", "there_is_none"], {}, /The table cannot be read \(status 404\)/],
    [flags, { APP_ENCRYPTION_KEY: "too short" }, /the key must be 32 bytes/],
    [flags, { APP_ENCRYPTION_KEY: "" }, /APP_ENCRYPTION_KEY must be set/],
    [flags, { HFTOK_SERVICE_KEY: await jwt({ role: "authenticated", sub: "x" }) }, /status 403/],
    [["--table", "user_keys", "--value", key.toString("hex")], {}, /status 400/],
    [["--table", "user_keys", "--batch", "none"], {}, /--batch must be a number/],
    [["--table"], {}, /the flags are/],
    [[], {}, /--table must be given/],
  ];
  for (const [args, env, words] of cases) {
    const { code, printed } = await run(args, env);
    assert.equal(code, 2, printed);
    assert.match(printed, words);
  }
  const other = await run(["--table", "user_keys", "--batch", "500"], {
    APP_ENCRYPTION_KEY: randomBytes(32).toString("base64"),
  });
  assert.match(other.printed, new RegExp(`${USERS} read, 0 to be moved .*${USERS} left`));
});
