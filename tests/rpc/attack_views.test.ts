// Every view of schema hftok, by everybody who may not, and for what it does not show.
import assert from "node:assert/strict";
import { views } from "./lib/contract.ts";
import { describe, few, make } from "./lib/exchange.ts";
import { anon, nobody, operator, people, type Person, reviewer, service, user } from "./lib/people.ts";
import { everything, nothingLeaked, query, until } from "./lib/server.ts";

const { alice, bob, carol, admin, acme, globex, id } = await people("rows");

// The target of the attacks: rows of alice and acme. bob has nothing but his place in globex.
const own = await alice.call("save_hf_token", { p_token: make.hf() });
await alice.call("save_credential", { p_provider: "openai", p_secret: make.openai(), p_model: "gpt" });
const shared = await alice.call("save_credential", {
  p_provider: "openai",
  p_secret: make.openai(),
  p_org_id: acme,
});
const global = await admin.call("save_credential", {
  p_provider: "groq",
  p_secret: "gsk_" + make.hf().slice(3).padEnd(52, "A"),
  p_global: true,
});
const integration = await alice.call("create_integration_with_vault", {
  p_name: "a",
  p_type: "openai",
  p_credentials: make.openai(),
});
await alice.call("share_integration", { p_integration_id: integration, p_org_id: acme });
await service.call("record_usage", { p_secret_id: own.secret_id });
await service.call("record_usage", { p_secret_id: shared.secret_id });
const isCounted = async ({ secret_id }: { secret_id: string }) =>
  (await service.rows("usage_daily", { secret_id })).length === 1;
await until(async () => await isCounted(own) && await isCounted(shared));
await service.call("put_secret", { p_name: "rows named", p_secret: make.text() });
const marks = [
  alice.name,
  acme,
  own.secret_id,
  shared.secret_id,
  global.secret_id,
  integration,
  own.preview.slice(-4) + '"',
];

const there: { name: string; columns: string[] }[] = await query(
  `SELECT c.relname AS name, array_agg(a.attname ORDER BY a.attnum) AS columns
   FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
   WHERE c.relnamespace = 'hftok'::regnamespace AND c.relkind IN ('v', 'r', 'm') GROUP BY 1 ORDER BY 1`,
);
const everybody = [anon, nobody, bob, carol, alice, admin, service, operator, reviewer];
const group = (who: Person) =>
  ({ service: "service", operator: "admin", reviewer: "auditor", anon: "none" } as any)[who.name] ?? "user";

async function unchanged(attack: (wrong: string[]) => Promise<void>) {
  const before = await everything();
  const wrong: string[] = [];
  await attack(wrong);
  assert.deepEqual(few(wrong), []);
  assert.equal(await everything(), before, "something was changed");
}

/** Whether an answer speaks of what a stranger must not know. */
function tells(who: Person): boolean {
  return who.last.status < 400 && marks.some((mark) => who.last.body.includes(mark));
}

Deno.test("reading: who may, and nothing of others", () =>
  unchanged(async (wrong) => {
    for (const { name } of there) {
      if (!views[name]) wrong.push(`${name} is not written down in lib/contract.ts`);
      for (const who of everybody) {
        // Values are not read by GET: see below.
        const columns = name === "decrypted_secrets" ? "id,name" : "*";
        const { status } = await who.raw("GET", `/${name}?select=${columns}`);
        const allowed = views[name]?.who.includes(group(who));
        if (status !== (allowed ? 200 : who === anon ? 401 : 403)) wrong.push(describe(who.last));
        if ([bob, nobody].includes(who) && tells(who)) wrong.push("tells " + describe(who.last));
        for (const method of ["HEAD", "OPTIONS"]) {
          const answer = await who.raw(method, `/${name}`);
          if (answer.body !== "") wrong.push(describe(who.last));
        }
      }
    }
  }));

Deno.test("a member sees what is the organisation's, masked, and nothing of the owner's own", async () => {
  assert.deepEqual((await carol.rows("credentials")).map((row) => row.secret_id), [shared.secret_id]);
  assert.deepEqual((await carol.rows("integrations")).map((row) => row.id), [integration]);
  for (
    const view of [
      "user_api_keys",
      "provider_secrets",
      "usage_daily",
      "administrators",
      "expiring_credentials",
    ]
  ) {
    assert.deepEqual(await carol.rows(view), [], view);
  }
  assert(
    (await carol.rows("provider_overview")).every((row) =>
      !row.is_configured && row.api_key_preview === null
    ),
  );
  assert(
    (await admin.rows("credentials")).every((row) => row.scope === "global"),
    "an administrator does not see users' own",
  );
});

Deno.test("writing: every method on every view, with the rows asked back", () =>
  unchanged(async (wrong) => {
    for (const { name, columns } of there) {
      for (const who of [anon, nobody, bob, reviewer]) {
        for (
          const Prefer of [
            "return=representation",
            "return=headers-only",
            "return=representation,resolution=merge-duplicates",
          ]
        ) {
          for (const column of columns) {
            const given = { [column]: alice.name };
            await who.raw("PATCH", `/${name}?select=*`, given, { Prefer });
            if (who.last.status < 400 && !["", "[]"].includes(who.last.body)) wrong.push(describe(who.last));
            if (Prefer.includes("merge") || column === columns[0]) {
              await who.raw("POST", `/${name}?select=*`, given, { Prefer });
              if (who.last.status < 400) wrong.push(describe(who.last));
            }
          }
          // Without any filter: everything that they may delete, which is nothing.
          await who.raw("DELETE", `/${name}?select=*`, undefined, { Prefer });
          if (who.last.status < 400 && !["", "[]"].includes(who.last.body)) wrong.push(describe(who.last));
          if (who.last.status >= 500) wrong.push(describe(who.last));
        }
      }
    }
  }));

Deno.test("writing in somebody's name", () =>
  unchanged(async (wrong) => {
    for (const who of [bob, carol, admin, nobody]) {
      for (
        const [path, body] of [
          ["/user_api_keys", { user_id: alice.name, service: "huggingface", api_key: make.hf() }],
          ["/user_api_keys", { user_id: alice.name, service: "groq", api_key: "gsk_" + "B".repeat(52) }],
          ["/user_api_keys?on_conflict=user_id,service", {
            user_id: alice.name,
            service: "huggingface",
            api_key: own.preview,
          }],
          ["/user_api_keys?on_conflict=user_id,service", [{
            user_id: alice.name,
            service: "openai",
            api_key: make.openai(),
          }]],
        ] as const
      ) {
        for (
          const Prefer of [
            "return=representation",
            "resolution=merge-duplicates",
            "resolution=ignore-duplicates",
          ]
        ) {
          await who.raw("POST", path, body, { Prefer });
          if (![400, 403].includes(who.last.status)) wrong.push(describe(who.last));
        }
      }
      await who.raw("PUT", `/user_api_keys?user_id=eq.${alice.name}&service=eq.huggingface`, {
        id: own.secret_id,
        user_id: alice.name,
        service: "huggingface",
        api_key: make.hf(),
        created_at: null,
        updated_at: null,
      });
      if (who.last.status < 400) wrong.push(describe(who.last));
    }
  }));

Deno.test("hidden columns: not to be selected, filtered or ordered by", async () => {
  const hidden: { name: string }[] = await query(
    `SELECT DISTINCT a.attname AS name FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE c.relnamespace = 'hftok_private'::regnamespace AND c.relkind = 'r'`,
  );
  let looked = 0;
  for (const view of there) {
    for (const { name } of hidden.filter((column) => !view.columns.includes(column.name))) {
      if (
        !["sealed", "fingerprint", "wrapped", "binding_key", "ctid", "xmin", "tableoid", "verdict_message"]
          .includes(name)
      ) continue;
      for (
        const path of [
          `select=${name}`,
          `${name}=not.is.null`,
          `order=${name}`,
          `or=(${name}.is.null,${name}.not.is.null)`,
        ]
      ) {
        for (const who of [alice, bob, service]) {
          const { status } = await who.raw("GET", `/${view.name}?${path}`);
          assert([400, 403].includes(status), describe(who.last));
          looked++;
        }
      }
    }
  }
  assert(looked > 200);
  assert.equal(
    (await service.raw("GET", "/decrypted_secrets?select=name&decrypted_secret=like.*")).status,
    405,
  );
  assert.equal(
    (await service.raw("GET", "/decrypted_secrets?select=name&order=decrypted_secret")).status,
    405,
  );
  assert.equal(
    (await service.raw("DELETE", "/decrypted_secrets?name=eq.rows none&decrypted_secret=like.a*")).status,
    204,
  );
});

Deno.test("embedding one view in another shows no more than each alone", async () => {
  let answered = 0;
  for (const { name } of there) {
    for (const { name: other } of there) {
      for (const who of [anon, nobody, bob, carol, alice]) {
        for (const embedded of [`${other}(*)`, `...${other}(*)`, `${other}!inner(*)`]) {
          await who.raw("GET", `/${name}?select=*,${embedded}`);
          const allowed = views[name]?.who.includes("user") && views[other]?.who.includes("user");
          if (who.last.status < 400) {
            answered++;
            assert(allowed && who !== anon, describe(who.last));
          }
          assert(who.last.status < 500, describe(who.last));
          if ([bob, nobody].includes(who)) assert(!tells(who), describe(who.last));
        }
      }
    }
    for (const table of ["secret_versions", "data_keys", "integration_shares"]) {
      assert(
        [400, 401, 403].includes((await bob.raw("GET", `/${name}?select=*,${table}(*)`)).status),
        describe(bob.last),
      );
    }
  }
  console.log(`${answered} embeddings were answered`);
});

Deno.test("tables, other schemas and other forms of the answer", async () => {
  const tables: { name: string }[] = await query(
    "SELECT relname AS name FROM pg_class WHERE relnamespace = 'hftok_private'::regnamespace AND relkind = 'r'",
  );
  for (const who of [anon, bob, service]) {
    for (const { name } of tables.filter((table) => !there.some((view) => view.name === table.name))) {
      for (const method of ["GET", "POST", "PATCH", "DELETE"]) {
        const { status } = await who.raw(method, `/${name}`, method === "GET" ? undefined : {});
        assert([401, 403, 404].includes(status), describe(who.last));
      }
    }
    for (const profile of ["hftok_private", "public", "pg_catalog", "information_schema"]) {
      for (const name of ["secrets", "secret_versions", "data_keys", "pg_authid", "tables"]) {
        assert.equal(
          (await who.raw("GET", `/${name}`, undefined, { "Accept-Profile": profile })).status,
          406,
        );
        assert.equal(
          (await who.raw("DELETE", `/${name}`, undefined, { "Content-Profile": profile })).status,
          406,
        );
      }
    }
  }
  for (
    const Accept of [
      "text/csv",
      "application/vnd.pgrst.object+json",
      "application/vnd.pgrst.plan+json",
      "application/octet-stream",
      "*/*",
      "application/geo+json",
    ]
  ) {
    for (const { name } of there) {
      await bob.raw("GET", `/${name}`, undefined, { Accept });
      assert(!tells(bob) && bob.last.status < 500, describe(bob.last));
    }
  }
  for (const who of [anon, bob, service]) {
    const answer = await who.raw("GET", "/");
    const described = Object.keys(JSON.parse(answer.body).definitions ?? {});
    assert.deepEqual(described.filter((name) => !views[name]?.who.includes(group(who))), [], who.name);
    for (const word of ["sealed_at", "binding_key", "fingerprint"]) {
      assert(!answer.body.includes(word), who.name);
    }
  }
});

Deno.test("counts, filters and ranges tell nothing of others", async () => {
  for (
    const filter of [
      `secret_id=eq.${own.secret_id}`,
      `scope_id=eq.${alice.name}`,
      `or=(scope_id.eq.${acme},scope_id.neq.x)`,
      "not.and=(scope_id.eq.x)",
    ]
  ) {
    const answer = await bob.raw("GET", `/credentials?select=count:version&${filter}`, undefined, {
      Prefer: "count=exact",
    });
    if (answer.status >= 400) continue;
    assert.equal(answer.headers.get("content-range"), "*/0", describe(bob.last));
  }
  const planned = await bob.raw("HEAD", "/credentials", undefined, { Prefer: "count=exact" });
  assert.equal(planned.headers.get("content-range"), "*/0");
});

Deno.test("every user against every other user's rows", async () => {
  const others = await Promise.all(["erin", "fred"].map(async (name) => {
    const who = await user(id(name));
    const { secret_id } = await who.call("save_credential", {
      p_provider: "openai",
      p_secret: make.openai(),
    });
    const made = await who.call("create_integration_with_vault", {
      p_name: name,
      p_type: "openai",
      p_credentials: make.openai(),
    });
    return { who, secret_id, made };
  }));
  const all = [...others, { who: alice, secret_id: own.secret_id, made: integration }];
  await unchanged(async (wrong) => {
    for (const by of [...all.map(({ who }) => who), bob, admin]) {
      for (const { who, secret_id, made } of all.filter((each) => each.who !== by)) {
        const filters = [
          `/credentials?secret_id=eq.${secret_id}`,
          `/credentials?scope_id=eq.${who.name}`,
          `/user_api_keys?user_id=eq.${who.name}`,
          `/user_api_keys?id=eq.${secret_id}`,
          `/integrations?id=eq.${made}`,
          `/integrations?user_id=eq.${who.name}`,
          `/usage_daily?secret_id=eq.${secret_id}`,
        ].filter((path) => by !== admin || !path.startsWith("/usage"));
        for (const path of filters) {
          if ((await by.raw("GET", path)).body !== "[]") wrong.push(describe(by.last));
          await by.raw("PATCH", path, { label: "x" }, { Prefer: "return=representation" });
          if (by.last.status < 400 && by.last.body !== "[]") wrong.push(describe(by.last));
          await by.raw("DELETE", path, undefined, { Prefer: "return=representation" });
          if (by.last.status < 400 && by.last.body !== "[]") wrong.push(describe(by.last));
        }
      }
    }
  });
  assert.deepEqual((await bob.rows("members")).filter((row) => row.org_id !== globex), []);
  await admin.call("delete_credential", { p_provider: "groq", p_global: true });
});

nothingLeaked();
