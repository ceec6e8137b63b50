// user_api_keys as supabase-js uses a table.
import assert from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";
import { make } from "./lib/exchange.ts";
import { ok, people, type Person, refused, service } from "./lib/people.ts";
import { nothingLeaked } from "./lib/server.ts";

const { alice, bob, carol, admin, id } = await people("keys");

/** supabase-js, which asks under /rest/v1 as behind Supabase's gateway. */
function keys(who: Person) {
  const supabase = createClient(who.base, "anon-key", {
    db: { schema: "hftok" },
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: {
      headers: who.headers,
      fetch: (input: any, init: any) => who.fetch(String(input).replace("/rest/v1", ""), init),
    },
  });
  return (supabase as any).from("user_api_keys");
}
const resolved = (who: Person | string, p_provider: string) =>
  service.call("resolve_token", {
    p_provider,
    p_user_id: typeof who === "string" ? who : who.name,
    p_levels: ["user"],
  });
const stored = async (who: Person, provider: string) => (await resolved(who, provider)).token;
const mask = (value: string, prefix: string) => prefix + "•".repeat(16 - prefix.length) + value.slice(-4);

Deno.test("insert: the caller's, masked, and the service gets what was sent", async () => {
  const value = make.openai();
  assert.equal(await ok(keys(alice).insert({ service: "openai", api_key: `  ${value}\n` })), null);
  assert.equal(alice.last.status, 201);
  const [row] = await ok(keys(alice).select("*"));
  assert.deepEqual([row.user_id, row.service, row.api_key], [alice.name, "openai", mask(value, "sk-proj-")]);
  assert.equal(await stored(alice, "openai"), value);
  await refused(keys(alice).insert({ service: "openai", api_key: make.openai() }), 409, "23505");
  assert.equal(await stored(alice, "openai"), value, "a refused insert changes nothing");
});

Deno.test("insert returning: ids and times that are sent are ignored", async () => {
  const value = make.hf();
  const mine = crypto.randomUUID();
  const sent = {
    id: mine,
    service: "huggingface",
    api_key: value,
    created_at: "2001-01-01",
    updated_at: "2001-01-01",
  };
  const row = await ok(keys(alice).insert(sent).select().single());
  assert.notEqual(row.id, mine);
  assert(
    Date.parse(row.created_at) > Date.now() - 600_000 && Date.parse(row.updated_at) > Date.now() - 600_000,
  );
  assert.equal(row.api_key, mask(value, "hf_"));
  assert.equal(alice.last.headers.get("cache-control"), "no-store");
  const { secret_id } = await resolved(alice, "huggingface");
  const [read] = await ok(keys(alice).select("*").eq("service", "huggingface"));
  assert.equal(read.id, secret_id, "the id that is read later is the secret's");
  assert.equal(row.id, secret_id, "and so is the one that insert returned");
});

Deno.test("bulk insert", async () => {
  const values = { openai: make.openai(), anthropic: make.anthropic(), huggingface: make.hf() };
  const rows = Object.entries(values).map(([service, api_key]) => ({ service, api_key }));
  const saved = await ok(keys(bob).insert(rows).select("service,api_key"));
  assert.equal(saved.length, 3);
  for (const [provider, value] of Object.entries(values)) assert.equal(await stored(bob, provider), value);
  const twice = [{ service: "groq", api_key: make.text().replaceAll(" ", "") }, {
    service: "groq",
    api_key: make.text().replaceAll(" ", ""),
  }];
  await refused(keys(bob).insert(twice), 409, "23505");
  assert.equal(await stored(bob, "groq"), null);
  const half = [{ service: "mistral", api_key: make.text().replaceAll(" ", "") }, {
    service: "groq",
    api_key: "",
  }];
  await refused(keys(bob).insert(half), 400, "22023");
  assert.equal(await stored(bob, "mistral"), null);
});

for (
  const [title, options] of [["with onConflict", { onConflict: "user_id,service" }], [
    "without onConflict",
    {},
  ]] as const
) {
  Deno.test(`upsert ${title}: inserts, then replaces`, async () => {
    const values = [make.anthropic(), make.anthropic(), make.anthropic()];
    for (const value of values) {
      const sent = { user_id: carol.name, service: "anthropic", api_key: value };
      const [row] = await ok(keys(carol).upsert(sent, options).select());
      assert.equal(row.api_key, mask(value, "sk-ant-"));
      assert.equal(await stored(carol, "anthropic"), value);
    }
    const rows = await ok(keys(carol).select("*").eq("service", "anthropic"));
    assert.equal(rows.length, 1);
    await ok(keys(carol).delete().eq("service", "anthropic"));
  });

  Deno.test(`upsert ${title}: ignoreDuplicates keeps what is there`, async () => {
    const [first, second] = [make.anthropic(), make.anthropic()];
    const send = (api_key: string) =>
      ok(
        keys(carol).upsert({ service: "anthropic", api_key }, { ...options, ignoreDuplicates: true })
          .select(),
      );
    assert.equal((await send(first)).length, 1);
    assert.deepEqual(await send(second), []);
    assert.equal(await stored(carol, "anthropic"), first);
    assert.equal((await resolved(carol, "anthropic")).version, 1);
    await ok(keys(carol).delete().eq("service", "anthropic"));
  });

  Deno.test(`bulk upsert ${title}`, async () => {
    const old = make.hf();
    await ok(keys(admin).insert({ service: "huggingface", api_key: old }));
    const values = { huggingface: make.hf(), openai: make.openai(), anthropic: make.anthropic() };
    const rows = Object.entries(values).map(([service, api_key]) => ({ service, api_key }));
    const saved = await ok(keys(admin).upsert(rows, options).select("service"));
    assert.deepEqual(saved.map((row: any) => row.service).sort(), Object.keys(values).sort());
    for (const [provider, value] of Object.entries(values)) {
      assert.equal(await stored(admin, provider), value);
    }
    assert.equal((await resolved(admin, "huggingface")).version, 2);
    const more = rows.map(({ service }, at) => ({
      service,
      api_key: [make.hf(), make.openai(), make.anthropic()][at],
    }));
    await ok(
      keys(admin).upsert([...more, { service: "groq", api_key: "gsk_" + old.slice(3) }], {
        ...options,
        ignoreDuplicates: true,
      }),
    );
    for (const [provider, value] of Object.entries(values)) {
      assert.equal(await stored(admin, provider), value);
    }
    await ok(keys(admin).delete().neq("service", ""));
    assert.deepEqual(await ok(keys(admin).select("*")), []);
  });
}

Deno.test("update: the value, one row or several", async () => {
  const [first, second] = [make.openai(), make.openai()];
  await ok(keys(carol).insert({ service: "openai", api_key: first }));
  const [row] = await ok(keys(carol).update({ api_key: ` ${second} ` }).eq("service", "openai").select());
  assert.equal(row.api_key, mask(second, "sk-proj-"));
  assert.equal(await stored(carol, "openai"), second);
  assert.equal((await resolved(carol, "openai")).version, 2);
  assert.deepEqual(
    await ok(keys(carol).update({ api_key: first }).eq("service", "there is none").select()),
    [],
  );
  await refused(keys(carol).update({ api_key: "" }).eq("service", "openai"), 400, "22023");
  await refused(keys(carol).update({ service: "anthropic" }).eq("service", "openai"), 400, "22023");
  assert.equal(await stored(carol, "openai"), second);
});

Deno.test("read, modify, write: the mask written back means unchanged", async () => {
  const value = await stored(carol, "openai");
  const row = await ok(keys(carol).select("*").eq("service", "openai").single());
  const { version } = await resolved(carol, "openai");
  await ok(keys(carol).update(row).eq("id", row.id));
  await ok(keys(carol).update({ api_key: row.api_key }).eq("service", "openai"));
  await ok(keys(carol).upsert(row, { onConflict: "user_id,service" }));
  await ok(keys(carol).upsert({ service: "openai", api_key: row.api_key }));
  const other = { service: "anthropic", api_key: make.anthropic() };
  await ok(keys(carol).upsert([{ service: "openai", api_key: row.api_key }, other]));
  assert.deepEqual([await stored(carol, "openai"), (await resolved(carol, "openai")).version], [
    value,
    version,
  ]);
  const again = await ok(keys(carol).select("id,api_key").eq("service", "openai").single());
  assert.deepEqual(again, { id: row.id, api_key: row.api_key });
});

Deno.test("rows of one request that leave different things out, with defaultToNull: false", async () => {
  // Then PostgREST itself writes the column's default into the statement, under the caller's role.
  const row = await ok(keys(carol).select("*").eq("service", "openai").single());
  const other = { service: "anthropic", api_key: make.anthropic() };
  await ok(keys(carol).upsert([row, other], { defaultToNull: false }));
  assert.equal(await stored(carol, "anthropic"), other.api_key);
});

Deno.test("a mask that is not its own is refused", async () => {
  const [{ api_key: own }] = await ok(keys(carol).select("api_key").eq("service", "openai"));
  const foreign = "sk-proj-••••••••zzzz";
  for (const api_key of [foreign, "•", own + "•", "•" + own]) {
    await refused(keys(carol).update({ api_key }).eq("service", "openai"), 400, "22023");
    await refused(keys(carol).upsert({ service: "openai", api_key }), 400, "22023");
    await refused(keys(carol).insert({ service: "groq", api_key }), 400, "22023");
  }
  await refused(keys(carol).insert({ service: "groq", api_key: own }), 400, "22023");
});

Deno.test("delete: the key with its row; and the row with the key", async () => {
  const deleted = await ok(keys(carol).delete().eq("service", "openai").select("service"));
  assert.deepEqual(deleted, [{ service: "openai" }]);
  assert.equal(await stored(carol, "openai"), null);
  assert.deepEqual(await carol.rows("credentials", { provider: "openai" }), []);
  assert.deepEqual(await ok(keys(carol).delete().eq("service", "openai").select()), []);
  await carol.call("save_credential", { p_provider: "openai", p_secret: make.openai() });
  assert.equal((await ok(keys(carol).select().eq("service", "openai"))).length, 1);
  await carol.call("delete_credential", { p_provider: "openai" });
  assert.deepEqual(await ok(keys(carol).select().eq("service", "openai")), []);
  // One for a model is not in this table.
  await carol.call("save_credential", { p_provider: "openai", p_secret: make.openai(), p_model: "gpt" });
  assert.deepEqual(await ok(keys(carol).select().eq("service", "openai")), []);
  await carol.call("delete_credential", { p_provider: "openai", p_model: "gpt" });
});

Deno.test("select: filters, order, count, range, and nobody else's rows", async () => {
  const rows = await ok(keys(bob).select("service").order("service", { ascending: false }).limit(2));
  assert.deepEqual(rows, [{ service: "openai" }, { service: "huggingface" }]);
  const { count } = await keys(bob).select("*", { count: "exact", head: true });
  assert.equal(count, 3);
  assert.equal((await ok(keys(bob).select("*").in("service", ["openai", "groq"]))).length, 1);
  assert.equal((await ok(keys(bob).select("*").like("api_key", "sk-ant-%"))).length, 1);
  assert.equal(await ok(keys(bob).select("*").eq("service", "groq").maybeSingle()), null);
  assert.deepEqual(await ok(keys(bob).select("*").eq("user_id", alice.name)), []);
});

Deno.test("users write their own rows only, the service anybody's", async () => {
  const value = await stored(bob, "openai");
  await refused(
    keys(alice).insert({ user_id: bob.name, service: "groq", api_key: "gsk_" + make.hf() }),
    403,
    "42501",
  );
  await refused(
    keys(alice).upsert({ user_id: bob.name, service: "openai", api_key: make.openai() }),
    403,
    "42501",
  );
  assert.deepEqual(
    await ok(keys(alice).update({ api_key: make.openai() }).eq("user_id", bob.name).select()),
    [],
  );
  assert.deepEqual(await ok(keys(alice).delete().eq("user_id", bob.name).select()), []);
  await refused(keys(alice).update({ user_id: bob.name }).eq("service", "huggingface"), 400, "22023");
  assert.equal(await stored(bob, "openai"), value);

  const given = make.openai();
  await ok(keys(service).upsert({ user_id: id("erin"), service: "openai", api_key: given }));
  assert.equal((await resolved(id("erin"), "openai")).token, given);
  await refused(keys(service).insert({ service: "openai", api_key: make.openai() }), 403, "42501");
  assert.equal((await ok(keys(service).select("*").eq("user_id", id("erin")))).length, 1);
  await ok(keys(service).delete().eq("user_id", id("erin")));
});

Deno.test("30 upserts at once: one row, 30 versions, the last value is one of them", async () => {
  const values = Array.from({ length: 30 }, () => make.openai());
  const answers = await Promise.all(
    values.map((api_key) => keys(admin).upsert({ service: "openai", api_key })),
  );
  assert.deepEqual(answers.filter(({ error }: any) => error).map(({ error }: any) => error), []);
  assert.equal((await ok(keys(admin).select("*").eq("service", "openai"))).length, 1);
  const { token, version } = await resolved(admin, "openai");
  assert.equal(version, 30);
  assert(values.includes(token));
});

nothingLeaked();
