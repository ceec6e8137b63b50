// The page Audit: activity, searching, who read a credential, refusals, checkpoint and verification; for whom it is, and for whom not.
import assert from "node:assert/strict";
import { letters } from "../rpc/lib/exchange.ts";
import { operator, people, Person, service } from "../rpc/lib/people.ts";
import { written } from "../rpc/lib/server.ts";
import { nothingLeaked, test, type Visit } from "./lib/panel.ts";

const { alice, bob, admin } = await people("panel-audit");
const saved = await alice.call("save_credential", {
  p_provider: "openai",
  p_secret: `sk-proj-${letters(48)}`,
});
await service.call("resolve_token", { p_provider: "openai", p_user_id: alice.name });
await bob.raw("POST", "/rpc/get_secret", { p_name: "payroll" });
const head: string = await operator.call("audit_head");
await written();

/** The rows of events below the search, as they are read. */
async function events(page: Visit): Promise<string[]> {
  const rows = page.find("table", "Events").locator("tbody tr");
  await rows.first().waitFor();
  return await rows.allInnerTexts();
}

test("an administrator looks for a person, and asks who read a credential", async (open) => {
  const page = await open(admin, "/audit");
  await page.page.getByLabel("Person", { exact: true }).fill(alice.name);
  await page.page.keyboard.press("Enter");
  await page.sees(/^\d events fit$/);
  const hers = await events(page);
  assert(hers.every((it) => it.includes(alice.name)), hers.join());
  assert(
    hers.some((it) => it.includes("save_credential")) && hers.some((it) => it.includes("resolve_token")),
  );
  await page.find("button", /^Details/).first().click();
  await page.isAccessible();
  await page.find("button", "Who read this?").click();
  await page.sees(`Who read ${saved.secret_id}`);
  await page.sees("1 event fits");
  const [reader] = await events(page);
  assert.match(reader ?? "", /Read[\s\S]*resolve_token[\s\S]*Handed out/);
});

test("refusals at a glance, and by themselves", async (open) => {
  const page = await open(admin, "/audit");
  await page.page.getByRole("listitem").filter({ hasText: bob.name }).filter({ hasText: "get_secret" })
    .waitFor();
  await page.find("button", "Look at them").click();
  assert((await events(page)).every((it) => it.includes("Refusal")));
  await page.find("radio", "All").click();
  await page.page.getByLabel("Person", { exact: true }).fill(bob.name);
  await page.page.keyboard.press("Enter");
  await page.sees(/events fit/);
  await page.find("radio", "Refusals").click();
  await page.page.waitForFunction(() => !document.body.innerText.includes("add_member"));
  const refused = await events(page);
  assert.equal(refused.length, 1);
  assert.match(refused[0] ?? "", /get_secret[\s\S]*Not allowed/);
});

test("an id that is none is said, and a search without anything found too", async (open) => {
  const page = await open(admin, "/audit");
  await page.page.getByLabel("Credential", { exact: true }).fill("openai");
  await page.find("button", "Search").click();
  await page.sees("An id looks like");
  await page.page.getByLabel("Credential", { exact: true }).fill("00000000-0000-4000-8000-000000000000");
  await page.find("button", "Search").click();
  await page.sees("No event fits");
});

test("the log is verified, alone and against a checkpoint that was kept", async (open) => {
  const page = await open(admin, "/audit");
  await page.find("button", "Verify now").click();
  await page.sees(/^All [\d,]+ events fit$/);
  await page.find("button", "Compare with a kept one").click();
  await page.page.getByLabel("Kept checkpoint").fill("hftok");
  await page.find("dialog").getByRole("button", { name: "Verify now" }).click();
  await page.sees("This is no checkpoint");
  await page.page.getByLabel("Kept checkpoint").fill(head);
  await page.find("dialog").getByRole("button", { name: "Verify now" }).click();
  await page.sees("has only grown since the checkpoint that you kept");
  // Another log's, or one that somebody made up.
  await page.find("button", "Compare with a kept one").click();
  const forged = head.replace(/\n\d+\n/, "\n1\n");
  assert.notEqual(forged, head);
  await page.page.getByLabel("Kept checkpoint").fill(forged);
  await page.find("dialog").getByRole("button", { name: "Verify now" }).click();
  await page.sees(/does not fit$/);
  await page.isAccessible();
});

test("activity: the chart's table has as many events as were found", async (open) => {
  const page = await open(admin, "/audit");
  await page.find("radio", "24 hours").click();
  const table = page.find("table", "Activity, 24 hours");
  await table.locator("tbody tr").first().waitFor({ state: "attached" });
  const rows = await table.locator("tbody tr").all();
  let sum = 0;
  for (const row of rows) {
    sum += Number((await row.locator("td .hftok-cell-value").last().innerText()).replaceAll(/\D/g, ""));
  }
  const told = await admin.call("find_audit_events", {
    p_from: new Date(Date.now() - 86_400_000).toISOString(),
  });
  const found = told.reduce((sum: number, it: { count: number }) => sum + it.count, 0);
  // Events are written while the page is looked at.
  assert(sum > 10 && sum <= found, `${sum} of ${found}`);
});

test("an auditor sees each key that is rotated", async (open) => {
  await operator.call("rotate_data_key");
  const rita = await Person.of("rita", { role: "reviewer", sub: "rita" });
  const page = await open(rita, "/audit");
  await page.sees(/^Key \d+/);
  await page.find("progressbar", /^Key \d+/).first().waitFor();
});

test("who may not read it is told so, and asks for nothing that would be refused", async (open) => {
  const before = (await admin.call("find_audit_events", { p_user: alice.name, p_kind: "refusal" })).length;
  const page = await open(alice, "/audit");
  await page.sees("There is no such page");
  assert.equal(await page.find("link", "Audit").count(), 0);
  await written();
  assert.equal(
    (await admin.call("find_audit_events", { p_user: alice.name, p_kind: "refusal" })).length,
    before,
  );
});

nothingLeaked();
