// provider-secrets: what every provider says of a key, good and bad, and every other way in which one can answer; saved or not, and by
// itself after saving.
import assert from "node:assert/strict";
import { pointAt, takeBack } from "../../edge/try/catalogue.ts";
import { Providers } from "../../edge/try/providers.ts";
import { letters } from "../rpc/lib/exchange.ts";
import { jwt, operator, people, type Person, service } from "../rpc/lib/people.ts";
import { query, sql, until } from "../rpc/lib/server.ts";
import { nothingLeaked, Running, test, unseen, worded } from "./lib/functions.ts";
import { amazon, catalogue, google } from "./lib/local_provider.ts";

const stub = new Providers();
await pointAt(stub.url, operator);
const secrets = await Running.start("provider-secrets", { HFTOK_TESTS_PER_MINUTE: "1000" });
const { alice, bob, carol, admin, acme } = await people("verdicts");

async function said(who: Person, method: string, path = "", body?: unknown, running = secrets) {
  const { status, body: answer } = await running.ask(who, method, { path, body });
  const { status: state, ...rest } = JSON.parse(answer);
  return { status, ...rest, ...(state === undefined ? {} : { state }) };
}
const row = async (id: string) =>
  (await query(
    `SELECT verdict, verdict_message, refusals, version,
       rested_until > now() AND rested_until < now() + interval '8 s' AS rests
     FROM hftok_private.secrets WHERE id = '${id}'`,
  ))[0];
/** The status once the provider was asked by itself. */
async function settled(who: Person, provider: string, status: string): Promise<void> {
  const seen: string[] = [];
  const asked = async () => seen[seen.push((await said(who, "GET", `/${provider}`)).state) - 1] === status;
  await until(asked).catch(() => assert.fail(`${provider}: ${seen.at(-1)}, not ${status}`));
}

unseen(google.private_key);
/** A credential of a provider that its stand-in takes as the word says. */
function credential(provider: string, word: string): string | Record<string, string> {
  const secret_access_key = unseen(letters(40));
  if (provider === "aws") {
    return { access_key_id: `AKIA${word.toUpperCase()}Z`.padEnd(20, "Z"), secret_access_key };
  }
  if (provider === "google_cloud") return { ...google, client_email: `${word}@p.iam.gserviceaccount.com` };
  const several: Record<string, Record<string, string>> = {
    azure: { client_id: crypto.randomUUID(), client_secret: worded(word), tenant_id: "acme.example" },
    azure_openai: { api_key: worded(word), endpoint: `${stub.url}/azure_openai/` },
  };
  return several[provider] ?? worded(word);
}

test("every provider of the catalogue takes a good key and refuses a bad one", async () => {
  for (const { id, test: described } of catalogue) {
    if (!described) continue;
    for (const [word, verdict, reason] of [["good", "verified", "accepted"], ["bad", "invalid", "refused"]]) {
      stub.seen();
      const answer = await said(bob, "POST", `/${id}/test`, { secret: credential(id, word ?? "") });
      assert.deepEqual(
        [answer.verdict, answer.reason],
        [verdict, reason],
        `${id}: ${JSON.stringify(answer)}`,
      );
      assert.equal(answer.ok, answer.verdict === "verified");
      // Amazon's refusals are asked for twice.
      const times = id === "aws" && word === "bad" ? [id, id] : [id];
      assert.deepEqual(stub.seen().map((it) => it.provider), times);
    }
  }
  const listed = (await said(bob, "GET")).secrets;
  assert(listed.every(({ configured }: { configured: boolean }) => !configured), "nothing is saved");
});

/** Each word of the stand-in, what is found, and the status of a stored key afterwards. */
const FOUND: Record<string, [verdict: string, reason: string, status: string]> = {
  good: ["verified", "accepted", "verified"],
  bad: ["invalid", "refused", "invalid"],
  forbidden: ["indeterminate", "forbidden", "unverified"],
  gated: ["indeterminate", "gated", "unverified"],
  unpaid: ["indeterminate", "unpaid", "unverified"],
  limited: ["rate_limited", "rate_limited", "rate_limited"],
  broken: ["indeterminate", "unavailable", "unverified"],
  elsewhere: ["indeterminate", "redirected", "unverified"],
};

for (const [word, [verdict, reason, status]] of Object.entries(FOUND)) {
  test(`a key that is ${word}: not saved, saved, and asked about by itself`, async () => {
    const label = "Groq";
    const unsaved = await said(carol, "POST", "/groq/test", { secret: worded(word) });
    assert.deepEqual([unsaved.status, unsaved.ok, unsaved.verdict, unsaved.reason], [
      200,
      verdict === "verified",
      verdict,
      reason,
    ]);
    assert.equal(unsaved.retry_after, word === "limited" ? 7 : undefined);
    if (verdict !== "verified") assert.match(unsaved.message, /^Failed to verify credentials: .*\.$/);
    assert(unsaved.message.includes(label), unsaved.message);
    assert(!("id" in unsaved));

    stub.seen();
    const value = worded(word);
    const { id } = await said(carol, "POST", "", { provider: "groq", secret: value });
    await until(() => Promise.resolve(stub.seen().some((it) => it.key === value)));
    await settled(carol, "groq", status);
    const kept = await row(id);
    const definite = verdict === "verified" || verdict === "invalid" ? verdict : null;
    assert.deepEqual([kept.verdict, kept.rests ?? false], [definite, word === "limited"]);
    const shown = await said(carol, "GET", "/groq");
    assert.equal(shown.message, verdict === "invalid" ? unsaved.message : null);

    // Tested again by hand: one that cannot be used is not opened.
    const again = await said(carol, "POST", "/groq/test", {});
    const isOut = word === "bad" || word === "limited";
    if (isOut) assert.deepEqual([again.status, again.error.outcome], [422, status]);
    else assert.deepEqual([again.verdict, again.reason], [verdict, reason]);
    await said(carol, "DELETE", "/groq");
    assert.deepEqual(stub.seenElsewhere(), []);
  });
}

test("a provider that does not answer in time is no verdict, and a user who leaves ends the request", async () => {
  const late = await said(bob, "POST", "/groq/test", { secret: worded("slow") });
  assert.deepEqual([late.verdict, late.reason], ["indeterminate", "timeout"]);
  stub.seen();
  const gone = new AbortController();
  const asked = secrets.ask(bob, "POST", {
    path: "/groq/test",
    body: { secret: worded("slow") },
    signal: gone.signal,
  });
  asked.catch(() => {});
  let arrival = stub.seen()[0];
  await until(() => Promise.resolve((arrival ??= stub.seen()[0]) !== undefined));
  gone.abort();
  await arrival?.left;
});

test("after another value and after a restore the provider is asked by itself, too", async () => {
  const [good, bad] = [worded("good"), worded("bad")];
  await said(alice, "POST", "", { provider: "mistral", secret: good });
  await settled(alice, "mistral", "verified");
  assert((await said(alice, "GET", "/mistral")).last_verified_at);
  await said(alice, "PUT", "/mistral", { secret: bad });
  await settled(alice, "mistral", "invalid");
  assert.match((await said(alice, "GET", "/mistral")).message, /Mistral refuses this key/);
  await said(alice, "POST", "/mistral/restore", {});
  await settled(alice, "mistral", "verified");
});

test("one refusal is not enough for a key that was good, two are", async () => {
  const { secret_id } = await service.call("save_credential", {
    p_provider: "xai",
    p_secret: worded("bad"),
    p_user_id: bob.name,
  });
  await service.call("report_credential", { p_secret_id: secret_id, p_verdict: "verified" });
  assert.equal((await said(bob, "POST", "/xai/test", {})).verdict, "invalid");
  assert.equal((await said(bob, "GET", "/xai")).state, "verified");
  assert.equal((await said(bob, "POST", "/xai/test", {})).verdict, "invalid");
  assert.equal((await said(bob, "GET", "/xai")).state, "invalid");
});

test("a verdict on a value that was replaced meanwhile is not the new one's", async () => {
  const { id } = await said(bob, "POST", "", { provider: "cohere", secret: worded("good") });
  await settled(bob, "cohere", "verified");
  await bob.call("save_credential", { p_provider: "cohere", p_secret: worded("pausing") });
  stub.seen();
  const testing = said(bob, "POST", "/cohere/test", {});
  await until(() => Promise.resolve(stub.seen().length > 0));
  await bob.call("save_credential", { p_provider: "cohere", p_secret: worded("good") });
  await testing;
  assert.deepEqual([(await row(id)).verdict, (await row(id)).version], [null, 3]);
});

test("what cannot be a key of the provider is not sent", async () => {
  stub.seen();
  const wrong = unseen("sk-ant-api03-" + letters(48));
  const answer = await said(bob, "POST", "/groq/test", { secret: wrong });
  assert.deepEqual([answer.ok, answer.verdict, answer.reason], [false, "invalid", "malformed"]);
  assert.match(answer.message, /cannot be a key of Groq\. It was not sent\.$/);
  const lacking = await said(bob, "POST", "/aws/test", { secret: { access_key_id: amazon.access_key_id } });
  assert.deepEqual([lacking.verdict, lacking.reason], ["invalid", "malformed"]);
  for (const path of ["/custom/test", "/qroq/test"]) {
    const { status, error } = await said(bob, "POST", path, { secret: worded("good") });
    assert.deepEqual([status, error.code], path === "/custom/test" ? [501, "no_test"] : [400, "bad_input"]);
  }
  assert.deepEqual(stub.seen(), []);
});

test("a key whose owner allows other hosts stays where it is", async () => {
  await bob.call("save_credential", {
    p_provider: "groq",
    p_secret: worded("good"),
    p_allowed_hosts: ["api.groq.com"],
  });
  stub.seen();
  const { status, error } = await said(bob, "POST", "/groq/test", {});
  assert.deepEqual([status, error.code, error.outcome], [422, "unusable", "host_refused"]);
  assert.deepEqual(stub.seen(), []);
});

test("an address among the fields: only the provider's own, and the owner's", async () => {
  const save = (endpoint: string, p_allowed_hosts?: string[]) =>
    bob.call("save_credential", {
      p_provider: "azure_openai",
      p_secret: JSON.stringify({ api_key: worded("good"), endpoint }),
      p_allowed_hosts,
    });
  const tested = async () => {
    stub.seen();
    const { status, verdict, error } = await said(bob, "POST", "/azure_openai/test", {});
    return [status, verdict ?? error.outcome, stub.seen().length];
  };
  const here = `${stub.url}/azure_openai`;
  for (
    const [endpoint, hosts, expected] of [
      [here, undefined, [200, "verified", 1]],
      [here, ["acme.openai.azure.com", "127.0.0.1"], [200, "verified", 1]],
      [here, ["*.openai.azure.com", "127.0.0.1"], [200, "verified", 1]],
      [here, ["acme.openai.azure.com"], [422, "host_refused", 0]],
      [here, ["*.openai.azure.com"], [422, "host_refused", 0]],
      [stub.elsewhere, undefined, [422, "host_refused", 0]],
      // Its owner lets it go there, and the catalogue says that it is none of the provider's: this machine is not asked for anybody.
      [stub.elsewhere, ["localhost"], [422, "host_refused", 0]],
      ["http://169.254.169.254/", ["169.254.169.254"], [422, "host_refused", 0]],
    ] as const
  ) {
    await save(endpoint, hosts && [...hosts]);
    assert.deepEqual(await tested(), expected, `${endpoint} ${hosts}`);
  }
  assert.deepEqual(stub.seenElsewhere(), []);
});

test("a spare key is not tested in place of one that rests", async () => {
  const usual = await service.call("save_credential", {
    p_provider: "replicate",
    p_secret: worded("good"),
    p_user_id: bob.name,
    p_on_unusable: "continue",
  });
  const spare = { p_provider: "replicate", p_secret: worded("good"), p_user_id: bob.name, p_slot: "spare" };
  await service.call("save_credential", spare);
  const report = { p_secret_id: usual.secret_id, p_verdict: "rate_limited", p_retry_after: 60 };
  await service.call("report_credential", report);
  stub.seen();
  const { status, error } = await said(bob, "POST", "/replicate/test", {});
  assert.deepEqual([status, error.code, error.outcome], [422, "unusable", "rate_limited"]);
  assert.deepEqual(stub.seen(), []);
});

test("an organisation's and the installation's are tested by who may change them, with their own key", async () => {
  const [ours, everybodys] = [worded("good"), worded("good")];
  await said(alice, "POST", "", { provider: "together", secret: ours, org_id: acme });
  await said(admin, "POST", "", { provider: "together", secret: everybodys, global: true });
  stub.seen();
  assert.equal((await said(alice, "POST", "/together/test", { org_id: acme })).verdict, "verified");
  assert.equal((await said(admin, "POST", "/together/test", { global: true })).verdict, "verified");
  const asked = stub.seen().map((it) => it.key);
  assert(asked.includes(ours) && asked.includes(everybodys));
  assert.equal((await said(admin, "DELETE", "/together?global=true")).deleted, true);
});

test("with the key of a role that may do no more than it needs", async () => {
  await sql(
    `CREATE ROLE provider_secrets NOLOGIN; GRANT provider_secrets TO authenticator; GRANT USAGE ON SCHEMA hftok TO provider_secrets;
     GRANT EXECUTE ON FUNCTION hftok.resolve_token, hftok.report_credential TO provider_secrets;
     GRANT SELECT ON hftok.providers TO provider_secrets`,
  );
  const HFTOK_SERVICE_KEY = await jwt({ role: "provider_secrets" });
  const humble = await Running.start("provider-secrets", { HFTOK_SERVICE_KEY });
  const made = await said(carol, "POST", "", { provider: "deepseek", secret: worded("good") }, humble);
  assert.equal(made.status, 201);
  await settled(carol, "deepseek", "verified");
  assert.equal((await said(carol, "POST", "/deepseek/test", {}, humble)).verdict, "verified");
  const azure = credential("azure_openai", "good");
  await said(carol, "POST", "", { provider: "azure_openai", secret: azure }, humble);
  assert.equal((await said(carol, "POST", "/azure_openai/test", {}, humble)).verdict, "verified");
});

test("keys are not tested without end, saved or not", async () => {
  const slow = await Running.start("provider-secrets", { HFTOK_TESTS_PER_MINUTE: "3" });
  const tested = () => said(alice, "POST", "/runpod/test", { secret: worded("good") }, slow);
  await said(alice, "POST", "", { provider: "runpod", secret: worded("good") }, slow);
  await settled(alice, "runpod", "verified");
  stub.seen();
  assert.deepEqual([(await tested()).ok, (await tested()).ok, stub.seen().length], [true, true, 2]);
  const exchange = await slow.ask(alice, "POST", { path: "/runpod/test", body: {} });
  assert.deepEqual([exchange.status, JSON.parse(exchange.body).error.code], [429, "too_often"]);
  const seconds = Number(exchange.headers.get("Retry-After"));
  assert(seconds > 0 && seconds <= 60);
  assert.equal((await tested()).error.code, "too_often");
  // It is saved all the same, and nobody is asked; what is looked at here alone is not counted; others are not kept from it.
  assert.equal((await said(alice, "PUT", "/runpod", { secret: worded("good") }, slow)).status, 200);
  assert.equal((await said(alice, "POST", "/aws/test", { secret: {} }, slow)).reason, "malformed");
  assert.equal((await said(alice, "GET", "/runpod")).state, "unverified");
  assert.deepEqual(stub.seen(), []);
  assert.equal((await said(bob, "POST", "/runpod/test", { secret: worded("good") }, slow)).ok, true);
  for (const wrong of ["soon", "0", "-1", "1.5"]) {
    const printed = await Running.refusedToStart("provider-secrets", { HFTOK_TESTS_PER_MINUTE: wrong });
    assert.match(printed, /HFTOK_TESTS_PER_MINUTE must be a whole number/);
  }
});

test("a failure that nobody waits for is a line in the log, without a value", async () => {
  const lost = await Running.start("provider-secrets", { HFTOK_SERVICE_KEY: await jwt({ role: "anon" }) });
  const { status } = await said(alice, "POST", "", { provider: "deepseek", secret: worded("good") }, lost);
  assert.equal(status, 201);
  await until(() => Promise.resolve(/"afterwards":"failed","code":"misconfigured"/.test(lost.printed)));
});

test("nothing went where no key may go, and the catalogue is as it was", async () => {
  assert.deepEqual(stub.seenElsewhere(), []);
  await takeBack(operator);
  await stub.stop();
});

nothingLeaked();
