// The server behind PostgREST, for what a test must set up or look at from there.
import assert from "node:assert/strict";
import { counts, failures, few, leaks, talkative } from "./exchange.ts";

/** The output of psql, or its complaint. */
export async function psql(
  text: string,
  login = "postgres",
): Promise<{ ok: boolean; out: string; error: string }> {
  const child = new Deno.Command("psql", {
    args: ["-XAtq", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-U", login],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  return { ok: success, out: decode(stdout), error: decode(stderr) };
}

/** Runs SQL as a superuser; gives what the last statement printed. */
export async function sql(text: string): Promise<string> {
  const done = await psql(text);
  assert(done.ok, `${text}\n${done.error}`);
  return done.out;
}

/** The rows of a query, as objects. */
export async function query(text: string): Promise<any[]> {
  return JSON.parse(await sql(`SELECT coalesce(json_agg(q), '[]') FROM (${text}) q`));
}

/** Waits until the audit's writer has written what was done so far. Whoever needs what it counts waits for that. */
export async function written(): Promise<void> {
  const waiting = "SELECT hftok.audit_head() AS head \\gset\nSELECT audit_waiting FROM hftok.status()";
  await until(async () => await sql(waiting) === "0");
  // Usage follows in a transaction of its own, of which nobody is told: mostly within this time.
  await new Promise((done) => setTimeout(done, 300));
}

/** Every row of every table of hftok, in one text; but for what is told and counted of each call, whatever came of it. */
export async function everything(): Promise<string> {
  await written();
  const tables = await query(
    `SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'hftok_private'::regnamespace AND c.relkind = 'r'
     AND c.relname NOT IN ('use_counts', 'secret_usage') AND c.relname NOT LIKE 'audit%' ORDER BY 1`,
  );
  const text = tables.map(({ name }) =>
    `SELECT '${name}', md5(t::text) FROM hftok_private.${name} t ORDER BY 2`
  );
  return await sql(text.join(";\n"));
}

/** A setting of the server while a test needs it. */
export async function withSetting(name: string, value: string, test: () => Promise<void>): Promise<void> {
  const effect = (wanted: string) =>
    until(async () => (await sql(`SELECT setting FROM pg_settings WHERE name = '${name}'`)) === wanted);
  const before = await sql(`SELECT setting FROM pg_settings WHERE name = '${name}'`);
  await sql(`ALTER SYSTEM SET ${name} = '${value}'; SELECT pg_reload_conf()`);
  try {
    await effect(value);
    await test();
  } finally {
    await sql(`ALTER SYSTEM RESET ${name}; SELECT pg_reload_conf()`);
    await effect(before);
  }
}

/** Waits until it holds. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await holds())) {
    assert(Date.now() < end, "it did not happen in 20 s");
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** The last test of each file, on everything that was answered in it. */
export function nothingLeaked(): void {
  Deno.test("of all answers: no value for anybody but the service, constant messages, no status 500", () => {
    const [answers, values] = counts();
    assert(answers > 0 && values > 0, "nothing was looked at");
    assert.deepEqual(few(leaks()), []);
    assert.deepEqual(few(talkative()), []);
    assert.deepEqual(few(failures()), []);
  });
}
