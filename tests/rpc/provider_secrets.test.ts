// provider_secrets as supabase-js uses a table: the rows of user_api_keys, under the names that such a table has.
import assert from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";
import { make } from "./lib/exchange.ts";
import { ok, people, type Person, refused, service } from "./lib/people.ts";
import { nothingLeaked } from "./lib/server.ts";

const { alice, bob, carol, id } = await people("provider-secrets");

function secrets(who: Person) {
  const supabase = createClient(who.base, "anon-key", {
    db: { schema: "hftok" },
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: {
      headers: who.headers,
      fetch: (input: any, init: any) => who.fetch(String(input).replace("/rest/v1", ""), init),
    },
  });
  return (supabase as any).from("provider_secrets");
}
const resolved = (who: string, p_provider: string) =>
  service.call("resolve_token", { p_provider, p_user_id: who, p_levels: ["user"] });
const stored = async (who: Person, provider: string) => (await resolved(who.name, provider)).token;

Deno.test("insert, and the row that comes back: an id, the label, the mask and no key", async () => {
  const value = make.openai();
  const row = await ok(secrets(alice).insert({ provider: "openai", api_key: value }).select().single());
  assert.equal(alice.last.status, 201);
  const mask = "sk-proj-" + "•".repeat(8) + value.slice(-4);
  const { id: given, created_at, updated_at, ...rest } = row;
  assert.deepEqual(rest, {
    user_id: alice.name,
    provider: "openai",
    label: "OpenAI",
    is_configured: true,
    api_key: mask,
    api_key_preview: mask,
  });
  assert.equal(given, (await resolved(alice.name, "openai")).secret_id);
  assert(Date.parse(created_at) <= Date.parse(updated_at));
  assert.equal(await stored(alice, "openai"), value);
  await refused(secrets(alice).insert({ provider: "openai", api_key: make.openai() }), 409, "23505");
  assert.equal(await ok(secrets(alice).select("*").eq("provider", "groq").maybeSingle()), null);
});

for (const [title, options] of [["with", { onConflict: "user_id,provider" }], ["without", {}]] as const) {
  Deno.test(`upsert ${title} onConflict: inserts, replaces, or keeps what is there`, async () => {
    const values = [make.anthropic(), make.anthropic(), make.anthropic()] as const;
    const sent = (api_key: string) => ({ user_id: carol.name, provider: "anthropic", api_key });
    for (const value of values.slice(0, 2)) {
      const [row] = await ok(secrets(carol).upsert(sent(value), options).select());
      assert.equal(row.is_configured, true);
      assert.equal(await stored(carol, "anthropic"), value);
    }
    const kept = secrets(carol).upsert(sent(values[2]), { ...options, ignoreDuplicates: true }).select();
    assert.deepEqual(await ok(kept), []);
    assert.equal(await stored(carol, "anthropic"), values[1]);
    const both = [
      { provider: "anthropic", api_key: make.anthropic() },
      { provider: "openai", api_key: make.openai() },
    ] as const;
    await ok(secrets(carol).upsert(both, options));
    for (const { provider, api_key } of both) assert.equal(await stored(carol, provider), api_key);
    assert.equal((await ok(secrets(carol).select("*"))).length, 2);
    await ok(secrets(carol).delete().neq("provider", ""));
    assert.deepEqual(await ok(secrets(carol).select("*")), []);
  });
}

Deno.test("update, delete, and the mask written back", async () => {
  const value = make.openai();
  const [row] = await ok(secrets(alice).update({ api_key: value }).eq("provider", "openai").select());
  assert.equal(await stored(alice, "openai"), value);
  // A row that was read, with everything in it, means unchanged.
  await ok(secrets(alice).update(row).eq("id", row.id));
  await ok(secrets(alice).upsert({ provider: "openai", api_key: row.api_key }));
  assert.deepEqual([await stored(alice, "openai"), (await resolved(alice.name, "openai")).version], [
    value,
    2,
  ]);
  const wrong = [
    { api_key: "" },
    { api_key: null },
    { api_key: "•" + row.api_key },
    { provider: "groq" },
    { label: "x" },
    { is_configured: false },
    { api_key_preview: make.openai() },
  ];
  for (const change of wrong) {
    await refused(secrets(alice).update(change).eq("provider", "openai"), 400, "22023");
  }
  const { message } = await refused(
    secrets(alice).insert({ provider: "groq", api_key: "gsk_" + make.hf(), label: "x" }),
    400,
    "0A000",
  );
  assert.equal(message, 'cannot insert into column "label" of view "provider_secrets"');
  assert.equal(await stored(alice, "openai"), value);
  assert.deepEqual(await ok(secrets(alice).delete().eq("provider", "openai").select("provider")), [{
    provider: "openai",
  }]);
  assert.equal(await stored(alice, "openai"), null);
});

Deno.test("users see and write their own rows only; the service has a row per user and provider", async () => {
  const mine = make.anthropic();
  await ok(secrets(bob).insert({ provider: "anthropic", api_key: mine }));
  const foreign = { user_id: bob.name, provider: "openai", api_key: make.openai() };
  await refused(secrets(alice).insert(foreign), 403, "42501");
  await refused(secrets(alice).upsert({ ...foreign, provider: "anthropic" }), 400, "22023");
  await refused(
    secrets(alice).upsert({ ...foreign, provider: "anthropic", api_key: make.anthropic() }),
    403,
    "42501",
  );
  assert.deepEqual(
    await ok(secrets(alice).update({ api_key: make.openai() }).eq("user_id", bob.name).select()),
    [],
  );
  assert.deepEqual(await ok(secrets(alice).delete().eq("user_id", bob.name).select()), []);
  assert.deepEqual(await ok(secrets(alice).select("*").eq("user_id", bob.name)), []);
  assert.equal(await stored(bob, "anthropic"), mine);

  const erin = id("erin");
  const given = make.openai();
  await ok(secrets(service).upsert({ user_id: erin, provider: "openai", api_key: given }));
  assert.equal((await resolved(erin, "openai")).token, given);
  const rows = await ok(
    secrets(service).select("user_id,provider,is_configured").in("user_id", [erin, bob.name]),
  );
  assert.deepEqual(rows.sort((a: any, b: any) => a.provider < b.provider ? -1 : 1), [
    { user_id: bob.name, provider: "anthropic", is_configured: true },
    { user_id: erin, provider: "openai", is_configured: true },
  ]);
  await refused(secrets(service).insert({ provider: "openai", api_key: make.openai() }), 403, "42501");
  assert.equal((await ok(secrets(service).delete().eq("user_id", erin).select("id"))).length, 1);
});

Deno.test("provider_overview has every provider, with and without a key", async () => {
  const rows = await bob.rows("provider_overview");
  assert.equal(rows.length, (await bob.rows("providers")).length);
  assert.deepEqual(rows.filter((row) => row.is_configured).map((row) => row.provider), ["anthropic"]);
  assert.equal((await bob.raw("POST", "/provider_overview", { provider: "groq" })).status, 403);
});

nothingLeaked();
