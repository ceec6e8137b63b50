// The types of the schema: as committed they are those of the extension that is installed, and supabase's clients take them.
import assert from "node:assert/strict";
import type { CompositeTypes, Database, Hftok } from "../../edge/client/mod.ts";
import { FOLDER, generate } from "../../edge/generate_types.ts";
import { createClient, PostgrestClient } from "../rpc/lib/clients.ts";
import { make } from "../rpc/lib/exchange.ts";
import { url, user } from "../rpc/lib/people.ts";

const alice = await user("types-alice");
const db = new PostgrestClient<Database, Record<never, never>, "hftok">(url, {
  schema: "hftok",
  headers: alice.headers,
});

Deno.test("the committed types are those of the installed extension", async () => {
  const generated = await generate();
  const there = [...Deno.readDirSync(FOLDER)].map(({ name }) => name);
  assert.deepEqual(there.sort(), Object.keys(generated).sort());
  for (const [name, text] of Object.entries(generated)) {
    const committed = await Deno.readTextFile(new URL(name, FOLDER));
    assert(committed === text, `${name} is not that of the schema: tests/edge/run.sh --types writes it anew`);
  }
});

Deno.test("postgrest-js is typed by them: functions, their arguments and answers, views and their columns", async () => {
  const { data: saved } = await db.rpc("save_hf_token", { p_token: make.hf() });
  const answer: CompositeTypes["saved_credential"] | null = saved;
  assert.equal(answer?.version, 1);
  const { data: walk } = await db.rpc("explain_token", { p_provider: "huggingface", p_levels: ["user"] });
  assert.equal(walk?.find(({ level }) => level === "user")?.outcome, "used");
  const { data: rows } = await db.from("credentials").select("provider, version").eq(
    "provider",
    "huggingface",
  );
  const version: number | null | undefined = rows?.[0]?.version;
  assert.equal(version, 1);
  const { error } = await db.from("user_api_keys").upsert({ service: "openai", api_key: make.openai() });
  assert.equal(error, null);
});

/** Compiled, never run: what is wrong must be an error of the compiler. */
export async function wrong(hftok: Hftok): Promise<void> {
  // @ts-expect-error: an argument by another name
  await hftok.call("save_hf_token", { p_tokens: "x" });
  // @ts-expect-error: one that is needed is missing
  await hftok.call("save_hf_token", {});
  // @ts-expect-error: a user that was forgotten
  await hftok.resolve("openai");
  // @ts-expect-error: the same, with something else that is said
  await hftok.resolve("openai", { orgId: "acme" });
  // @ts-expect-error: a user that may be undefined
  await hftok.resolve("openai", { userId: undefined as string | undefined });
  await hftok.resolve("openai", { userId: null, orgId: "acme" });
  // @ts-expect-error: no such function
  await hftok.call("save_hf_tokens", { p_token: "x" });
  // @ts-expect-error: no such column
  await hftok.rows("credentials", { provder: "eq.x" });
  // @ts-expect-error: no such view
  await db.from("credential").select("*");
  // @ts-expect-error: a view that cannot be written to
  await db.from("providers").insert({ name: "x" });
  const supabase = createClient<Database, "hftok">(url, "key", { db: { schema: "hftok" } });
  const { data } = await supabase.rpc("whoami");
  // @ts-expect-error: text
  const count: number | null = data;
  assert(count);
}
