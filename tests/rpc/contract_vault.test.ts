// Vault-style secrets, as a backend calls them.
import assert from "node:assert/strict";
import { make, plaintext } from "./lib/exchange.ts";
import { ok, operator, type Person, reviewer, service } from "./lib/people.ts";
import { nothingLeaked, sql, until } from "./lib/server.ts";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const notCached = (who: Person) =>
  assert.equal(who.last.headers.get("cache-control"), "no-store", who.last.url);

for (const who of [service, operator]) {
  const name = (text: string) => `vault ${who.name} ${text}`;

  Deno.test(`${who.name}: create, read, update, history, restore, delete`, async () => {
    const [first, second] = [make.text(), make.text()];
    const id = await who.call("create_secret", {
      new_secret: first,
      new_name: name("a"),
      new_description: "of a test",
    });
    assert.match(id, uuid);
    notCached(who);
    assert.equal(await who.call("get_secret", { p_name: name("a") }), first);
    notCached(who);
    assert.equal(
      await who.call("update_secret", { secret_id: id, new_secret: second, new_name: name("b") }),
      null,
    );
    assert.equal(who.last.status, 204);
    assert.equal(await who.call("get_secret", { p_name: name("b") }), second);
    assert.equal(await who.call("get_secret", { p_name: name("b"), p_version: 1 }), first);
    await who.refused("get_secret", { p_name: name("a") }, 404, "PT404");
    await who.refused("get_secret", { p_name: name("b"), p_version: 3 }, 404, "PT404");
    await who.refused("get_secret", { p_name: name("b"), p_recipient: "age1" }, 400, "22023");

    const history = await who.call("secret_history", { p_secret_id: id });
    assert.deepEqual(history.map((row: any) => [row.version, row.is_current, row.name]), [
      [2, true, name("b")],
      [1, false, name("a")],
    ]);
    assert.equal(await who.call("restore_secret", { p_secret_id: id, p_version: 1 }), 3);
    notCached(who);
    assert.equal(await who.call("get_secret", { p_name: name("b") }), first);
    await who.refused("restore_secret", { p_secret_id: id, p_version: 9 }, 404, "PT404");

    assert.equal(await who.call("delete_secret", { p_secret_id: id }), true);
    assert.equal(await who.call("delete_secret", { p_secret_id: id }), false);
    await who.refused("get_secret", { p_name: name("b") }, 404, "PT404");
    await who.refused("secret_history", { p_secret_id: id }, 404, "PT404");
    await who.refused("update_secret", { secret_id: id, new_secret: first }, 404, "PT404");
  });

  Deno.test(`${who.name}: put_secret inserts, replaces and compares`, async () => {
    const p_name = name("put");
    const values = [make.text(), make.text(), make.text()];
    const id = await who.call("put_secret", { p_name, p_secret: values[0], p_expected_version: 0 });
    notCached(who);
    assert.equal(await who.call("put_secret", { p_name, p_secret: values[1], p_description: "kept" }), id);
    await who.refused("put_secret", { p_name, p_secret: values[2], p_expected_version: 1 }, 409, "PT409");
    await who.refused("put_secret", { p_name, p_secret: values[2], p_expected_version: 0 }, 409, "PT409");
    await who.refused(
      "put_secret",
      { p_name: name("none"), p_secret: values[2], p_expected_version: 1 },
      409,
      "PT409",
    );
    assert.equal(await who.call("put_secret", { p_name, p_secret: values[2], p_expected_version: 2 }), id);
    assert.equal(await who.call("get_secret", { p_name }), values[2]);
    const [row] = await who.rows("secrets", { name: p_name });
    assert.deepEqual([row.id, row.version, row.description], [id, 3, "kept"]);
    await who.refused("create_secret", { new_secret: values[0], new_name: p_name }, 409, "23505");
  });

  Deno.test(`${who.name}: values come back exactly as they were given`, async () => {
    for (
      const value of [
        "",
        " spaces ",
        "line\nbreak\r\n",
        "\u0001\t\"'\\",
        "ключ 🔑",
        '{"a":[1,2]}',
        "x".repeat(100_000),
      ]
    ) {
      await who.call("put_secret", { p_name: name("exact"), p_secret: value });
      assert.equal(await who.call("get_secret", { p_name: name("exact") }), value);
    }
  });

  Deno.test(`${who.name}: the views`, async () => {
    const value = make.text();
    const id = await who.call("create_secret", { new_secret: value, new_name: name("seen") });
    const masked = await who.rows("secrets", { id });
    assert.equal(masked.length, 1);
    assert(!JSON.stringify(masked).includes(value.slice(8)));
    // By GET nothing is opened; what needs no opening is shown.
    const named = await ok(who.db.from("decrypted_secrets").select("id,name").eq("id", id));
    assert.deepEqual(named, [{ id, name: name("seen") }]);
    assert.equal(
      (await who.raw("GET", `/decrypted_secrets?select=decrypted_secret&id=eq.${id}`)).status,
      405,
    );
    assert.equal(
      (await who.raw("HEAD", `/decrypted_secrets?select=decrypted_secret&id=eq.${id}`)).status,
      405,
    );
    const { count } = await who.db.from("decrypted_secrets").select("id", { count: "exact", head: true }).eq(
      "id",
      id,
    );
    assert.equal(count, 1);
    assert.deepEqual(await who.rows("secrets", { name: "there is none" }), []);
    const deleted = await ok(who.db.from("decrypted_secrets").delete().eq("id", id).select("name"));
    assert.deepEqual(deleted, [{ name: name("seen") }]);
    assert.deepEqual(await who.rows("secrets", { id }), []);
    for (const view of ["secrets", "decrypted_secrets"]) {
      for (const [method, body] of [["POST", { name: "x" }], ["PATCH", { name: "x" }]] as const) {
        const answer = await who.raw(method, `/${view}?name=eq.x`, body);
        assert.equal(answer.status, 403, `${method} ${view}: ${answer.body}`);
      }
    }
  });

  Deno.test(`${who.name}: what cannot be`, async () => {
    const value = make.text();
    await who.refused("create_secret", { new_secret: null }, 400, "22023");
    await who.refused("put_secret", { p_name: "", p_secret: value }, 400, "22023");
    await who.refused("put_secret", { p_name: "n".repeat(1025), p_secret: value }, 400, "22023");
    await who.refused("get_secret", { p_name: null }, 400, "22023");
    await who.refused("update_secret", { secret_id: null, new_secret: value }, 400, "22023");
    await who.refused("secret_history", { p_secret_id: null }, 400, "22023");
    await who.refused("restore_secret", { p_secret_id: null, p_version: 1 }, 400, "22023");
    const large = plaintext("large " + "y".repeat(1024 * 1024));
    await who.refused("create_secret", { new_secret: large }, 413, "PT413");
    await who.refused("put_secret", { p_name: name("large"), p_secret: large }, 413, "PT413");
  });

  Deno.test(`${who.name}: a secret without a name`, async () => {
    const value = make.text();
    const id = await who.call("create_secret", { new_secret: value });
    const other = await who.call("create_secret", { new_secret: value });
    assert.notEqual(id, other);
    const [row] = await who.rows("secrets", { id });
    assert.equal(row.name, null);
    for (const secret of [id, other]) await who.call("delete_secret", { p_secret_id: secret });
  });
}

Deno.test("find_secret: ids of current and former values, for operator and reviewer", async () => {
  const [former, current] = [make.text(), make.text()];
  const id = await operator.call("put_secret", { p_name: "vault found", p_secret: former });
  await operator.call("put_secret", { p_name: "vault found", p_secret: current });
  for (const who of [operator, reviewer]) {
    const found = (p_value: string) => who.call("find_secret", { p_value });
    assert.deepEqual(await found(current), [{ secret_id: id, version: 2, is_current: true }]);
    notCached(who);
    assert.deepEqual(await found(former), [{ secret_id: id, version: 1, is_current: false }]);
    assert.deepEqual(await found("never stored"), []);
    for (const method of ["GET", "HEAD"]) {
      assert.equal((await who.raw(method, "/rpc/find_secret?p_value=x")).status, 405);
    }
  }
  await service.refused("find_secret", { p_value: current }, 403, "42501");
});

Deno.test("find_secret: so many guesses a minute for all who come through one login", async () => {
  const value = make.text();
  await operator.call("put_secret", { p_name: "vault guessed", p_secret: value });
  const setting = async (to: string) => {
    await sql(`ALTER SYSTEM SET hftok.max_guesses_per_minute = ${to}`);
    await sql("SELECT pg_reload_conf()");
    const now = "SELECT setting FROM pg_settings WHERE name = 'hftok.max_guesses_per_minute'";
    await until(async () => await sql(now) === to);
  };
  try {
    await setting("1");
    // Sessions of PostgREST read the setting at their next statement, and what was used up before counts.
    await until(async () =>
      (await operator.raw("POST", "/rpc/find_secret", { p_value: value })).status === 429
    );
    for (const who of [operator, reviewer]) {
      const { details } = await who.refused("find_secret", { p_value: value }, 429, "PT429");
      assert.match(details!, /^A login may look for 1 values a minute: the next in \d+ s\./);
    }
  } finally {
    // The guesses that were used up must not stop the tests that follow.
    await setting("1000000");
  }
  assert.equal((await reviewer.call("find_secret", { p_value: value })).length, 1);
});

Deno.test("the reviewer sees versions and names, and no value", async () => {
  const id = await service.call("put_secret", { p_name: "vault reviewed", p_secret: make.text() });
  assert.equal((await reviewer.call("secret_history", { p_secret_id: id })).length, 1);
  assert.equal((await reviewer.rows("secrets", { id })).length, 1);
  await reviewer.refused("get_secret", { p_name: "vault reviewed" }, 403, "42501");
  assert.equal((await reviewer.raw("GET", "/decrypted_secrets?select=name")).status, 403);
});

nothingLeaked();
