// Code that was written for Supabase Vault, by its documentation, on top of hftok: install_vault_schema().
import assert from "node:assert/strict";
import { service, user } from "../rpc/lib/people.ts";
import { psql, query, sql, until } from "../rpc/lib/server.ts";

await sql("SELECT hftok.install_vault_schema()");
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** As the backend's own role. */
const asBackend = async (text: string): Promise<string> => {
  const done = await psql(text, "backend");
  assert(done.ok, done.error);
  return done.out;
};

Deno.test("create_secret: a value; with a name; with a description", async () => {
  assert.match(await asBackend("select vault.create_secret('my_s3kre3t')"), uuid);
  assert.match(await asBackend("select vault.create_secret('another_s3kre3t', 'unique_name')"), uuid);
  assert.match(
    await asBackend(
      "select vault.create_secret('another_s3kre3t', 'unique_name_2', 'This is the description')",
    ),
    uuid,
  );
  const twice = await psql("select vault.create_secret('another_s3kre3t', 'unique_name')", "backend");
  assert(!twice.ok && twice.error.includes("23505") && !twice.error.includes("another_s3kre3t"), twice.error);
});

Deno.test("the view shows what is encrypted, and what it opens to", async () => {
  const rows = await query(
    "select name, description, secret, decrypted_secret, key_id, nonce from vault.decrypted_secrets order by created_at desc limit 3",
  );
  assert.deepEqual(rows.map((it) => [it.name, it.description, it.decrypted_secret]), [
    ["unique_name_2", "This is the description", "another_s3kre3t"],
    ["unique_name", "", "another_s3kre3t"],
    [null, "", "my_s3kre3t"],
  ]);
  assert(rows.every((it) => it.secret && it.nonce && !it.secret.includes("s3kre3t")));
  const stored = await query("select name, secret from vault.secrets where name = 'unique_name'");
  assert.equal(stored.length, 1);
  assert(!JSON.stringify(stored).includes("s3kre3t"));
});

Deno.test("update_secret: value, name and description", async () => {
  const id = await asBackend("select id from vault.secrets where name = 'unique_name'");
  await asBackend(
    `select vault.update_secret('${id}', 'n3w_upd@ted_s3kret', 'updated_unique_name', 'This is the updated description')`,
  );
  const [row] = await query(
    `select name, description, decrypted_secret from vault.decrypted_secrets where id = '${id}'`,
  );
  assert.deepEqual(row, {
    name: "updated_unique_name",
    description: "This is the updated description",
    decrypted_secret: "n3w_upd@ted_s3kret",
  });
});

Deno.test("a secret in the middle of another statement, as jobs and triggers use it", async () => {
  await asBackend("select vault.create_secret('https://project.example', 'project_url')");
  const called = await asBackend(
    "select (select decrypted_secret from vault.decrypted_secrets where name = 'project_url') || '/functions/v1/x'",
  );
  assert.equal(called, "https://project.example/functions/v1/x");
});

Deno.test("a function of the application over RPC, for the backend only", async () => {
  await sql(
    `CREATE FUNCTION public.read_secret(secret_name text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ''
       AS $$ SELECT decrypted_secret FROM vault.decrypted_secrets WHERE name = secret_name $$;
     REVOKE ALL ON FUNCTION public.read_secret FROM PUBLIC;
     GRANT EXECUTE ON FUNCTION public.read_secret TO service_role; NOTIFY pgrst, 'reload schema'`,
  );
  const profile = { "Content-Profile": "public" };
  const read = (who: typeof service, name: string) =>
    who.raw("POST", "/rpc/read_secret", { secret_name: name }, profile);
  await until(async () => (await read(service, "project_url")).status === 200);
  assert.equal(JSON.parse((await read(service, "updated_unique_name")).body), "n3w_upd@ted_s3kret");
  assert.equal((await read(await user("vault-alice"), "updated_unique_name")).status, 403);
});

Deno.test("nobody but who may: not users, not the anonymous", async () => {
  for (const role of ["anon", "authenticated"]) {
    for (const text of ["select count(*) from vault.decrypted_secrets", "select vault.create_secret('x')"]) {
      const refused = await psql(`set role ${role}; ${text}`);
      assert(!refused.ok && refused.error.includes("42501"), `${role}: ${text}`);
    }
  }
});
