// The catalog against the documentation: every name, its parameters, its columns.
import assert from "node:assert/strict";
import { callers, credentials, integrations, operation, vault, views } from "./lib/contract.ts";
import { anon, nobody, operator, reviewer, service, user } from "./lib/people.ts";
import { query } from "./lib/server.ts";

const functions: { name: string; parameters: string }[] = await query(
  `SELECT p.proname AS name, coalesce((
       SELECT string_agg(
           format('%s %s%s', p.proargnames[at], format_type(p.proargtypes[at - 1], NULL),
               CASE WHEN at > p.pronargs - p.pronargdefaults THEN '?' END), ', ' ORDER BY at)
       FROM generate_series(1, p.pronargs) at), '') AS parameters
   FROM pg_proc p WHERE p.pronamespace = 'hftok'::regnamespace ORDER BY 1`,
);
const columns: { name: string; columns: string[] }[] = await query(
  `SELECT c.relname AS name, array_agg(a.attname) AS columns
   FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
   WHERE c.relnamespace = 'hftok'::regnamespace AND c.relkind IN ('v', 'r', 'm') GROUP BY 1 ORDER BY 1`,
);

for (const [section, calls] of Object.entries({ vault, credentials, integrations })) {
  Deno.test(`every call of section ${section} exists with its parameters`, () => {
    const there = functions.filter(({ name }) => name in calls);
    const wanted = Object.entries(calls).map(([name, { parameters }]) => `${name}(${parameters})`);
    assert.deepEqual(there.map(({ name, parameters }) => `${name}(${parameters})`).sort(), wanted.sort());
  });
}

Deno.test("every view exists with its columns", () => {
  // With rotation.
  const later = ["rotation_progress"];
  const missing = Object.entries(views).flatMap(([name, view]) => {
    const there = columns.find((it) => it.name === name)?.columns;
    if (!there) return later.includes(name) ? [] : [name];
    return view.columns.split(" ").filter((column) => !there.includes(column)).map((column) =>
      `${name}.${column}`
    );
  });
  assert.deepEqual(missing, []);
});

Deno.test("nothing is there that is not written down", () => {
  assert.deepEqual(functions.map(({ name }) => name).filter((name) => !callers(name)), []);
  assert.deepEqual(columns.map(({ name }) => name).filter((name) => !(name in views)), []);
  const missing = Object.keys(operation).filter((name) => !functions.some((it) => it.name === name));
  if (missing.length > 0) console.log("operation, not there yet:", missing.join(", "));
});

Deno.test("no function is overloaded, so that PostgREST can choose", () => {
  const names = functions.map(({ name }) => name);
  assert.deepEqual(names.filter((name, at) => names.indexOf(name) !== at), []);
});

Deno.test("whoami: the sub of the JWT, and nobody else", async () => {
  assert.equal(await (await user("names-alice")).call("whoami"), "names-alice");
  const id = "6F9619FF-8B86-D011-B42D-00C04FC964FF";
  assert.equal(await (await user(id)).call("whoami"), id.toLowerCase());
  await anon.refused("whoami", {}, 401, "42501");
  await nobody.refused("whoami", {}, 403, "42501");
});

Deno.test("status: an object, for those who run hftok and the application's administrators", async () => {
  const admin = await user("names-admin");
  await admin.refused("status", {}, 403, "42501");
  await operator.call("grant_administrator", { p_user_id: admin.name });
  for (const who of [service, operator, reviewer, admin]) {
    const status = await who.call("status");
    assert.equal(status.sealed, false);
    assert.deepEqual(status.gateways, ["authenticator"]);
  }
  await operator.call("revoke_administrator", { p_user_id: admin.name });
  await admin.refused("status", {}, 403, "42501");
  await nobody.refused("status", {}, 403, "42501");
  await anon.refused("status", {}, 401, "42501");
});
