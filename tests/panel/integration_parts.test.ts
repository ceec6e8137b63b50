// What the page of integrations decides without a server: how soon it looks again, settings, templates.
import assert from "node:assert/strict";
import { credentialsOf } from "../../edge/panel/src/lib/providers/credentials.ts";
import { configOf, looksSecret, settingsOf } from "../../edge/panel/src/lib/integrations/settings.ts";
import { disabledBy, lookAgainAfter, statusOf } from "../../edge/panel/src/lib/integrations/status.ts";
import { hasWords, templatesFor } from "../../edge/panel/src/lib/integrations/templates.ts";

const NOW = Date.parse("2026-11-29T12:00:00Z");
const row = (status: string | null, age = 1_000, enabled = true) => ({
  status,
  enabled,
  updated_at: new Date(NOW - age).toISOString(),
});

Deno.test("a page looks again while something moves: soon at first, seldom when it takes long", () => {
  assert.equal(lookAgainAfter([], NOW), false);
  assert.equal(lookAgainAfter([row("connected"), row("error"), row("disabled")], NOW), false);
  assert.equal(lookAgainAfter([row("connected"), row("verifying")], NOW), 2_000);
  assert.equal(lookAgainAfter([row("pending", 3_600_000)], NOW), 15_000);
  assert.equal(lookAgainAfter([row("pending", 3_600_000), row("verifying")], NOW), 2_000);
  assert.equal(lookAgainAfter([row("pending", -3_600_000)], NOW), 2_000);
  assert.equal(lookAgainAfter([{ ...row("pending"), updated_at: null }], NOW), 2_000);
});

Deno.test("an unknown status is never shown as connected", () => {
  assert.equal(statusOf(row("connected")), "connected");
  assert.equal(statusOf(row("glorious")), "pending");
  assert.equal(statusOf(row(null)), "pending");
});

Deno.test("who switched one off is told apart", () => {
  assert.equal(disabledBy(row("disabled", 0, false)), "owner");
  assert.equal(disabledBy(row("disabled", 0, true)), "backend");
  assert.equal(disabledBy(row("connected", 0, true)), null);
});

Deno.test("settings that nobody touched come back as they were", () => {
  const config = { region: "eu-west-1", retries: 3, nested: { a: [1, null] }, on: true };
  const rows = settingsOf(config);
  assert.deepEqual(configOf(rows, config), config);
  const changed = rows.map((it) => it.name === "retries" ? { ...it, value: "4" } : it);
  assert.deepEqual(configOf(changed, config), { ...config, retries: "4" });
});

Deno.test("rows without a name are left out, and no name is special", () => {
  const rows = [{ name: " ", value: "x" }, { name: " a ", value: "1" }, { name: "__proto__", value: "p" }];
  assert.equal(JSON.stringify(configOf(rows)), '{"a":"1","__proto__":"p"}');
  for (const config of [null, undefined, "text", [1]]) assert.deepEqual(settingsOf(config), []);
});

Deno.test("a name that promises a secret is noticed", () => {
  for (const name of ["api_key", "apiKey", "client-secret", "HF_TOKEN", "db.password"]) {
    assert.ok(looksSecret(name), name);
  }
  for (const name of ["region", "base_url", "monkey", "max_tokens", "tokenizer"]) {
    assert.ok(!looksSecret(name), name);
  }
});

Deno.test("there is a template for each provider, known ones first, and the one for everything else last", () => {
  const found = templatesFor(["custom", "acme_ai", "openai", "aws"]);
  assert.deepEqual(found.map(({ id }) => id), ["openai", "aws", "acme_ai", "custom"]);
  assert.deepEqual(templatesFor([]), []);
  assert.ok(hasWords("openai") && !hasWords("acme_ai"));
});

Deno.test("no template's setting promises a secret, and each is of a built-in provider", () => {
  const catalogue: { id: string }[] = JSON.parse(
    Deno.readTextFileSync(new URL("../../crates/core/src/provider/catalogue.json", import.meta.url)),
  );
  const all = templatesFor(catalogue.map(({ id }) => id));
  assert.equal(all.length, catalogue.length);
  assert.equal(all.filter(({ id }) => hasWords(id)).length, 12);
  for (const { presets } of all) {
    for (const { name } of presets) assert.ok(!looksSecret(name), name);
  }
});

const NAMES = ["id", "secret", "session"];
const typed = (values: Record<string, string>) => ({ name }: { name: string }) => values[name] ?? "";

Deno.test("credentials are one text, or an object without what was left empty", () => {
  assert.equal(credentialsOf([{ name: "api_key" }], () => "k", false), "k");
  const fields = NAMES.map((name) => ({ name }));
  assert.deepEqual(credentialsOf(fields, typed({ id: "a", secret: "b" }), false), { id: "a", secret: "b" });
});

Deno.test("a field that is left empty while others change keeps what is stored", () => {
  const fields = NAMES.map((name) => ({ name }));
  const sent = credentialsOf(fields, typed({ secret: "new" }), true);
  assert.deepEqual(sent, { id: "•••", secret: "new", session: "•••" });
  assert.equal(credentialsOf([{ name: "api_key" }], () => "new", true), "new");
});
