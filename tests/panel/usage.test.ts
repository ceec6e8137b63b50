// The page Usage: as a chart and as a table, by measure and owner, and never with two currencies in one sum.
import assert from "node:assert/strict";
import { people, service } from "../rpc/lib/people.ts";
import { until } from "../rpc/lib/server.ts";
import { nothingLeaked, test, type Visit } from "./lib/panel.ts";
import { letters } from "../rpc/lib/exchange.ts";

const { alice, carol, acme } = await people("panel-usage");

/** Saves a key, and counts its use. */
async function use(
  owner: object,
  provider: string,
  key: string,
  uses: [requests: number, cost: number, currency: string][],
) {
  const { secret_id } = await alice.call("save_credential", {
    p_provider: provider,
    p_secret: key,
    ...owner,
  });
  for (const [p_requests, p_cost, p_currency] of uses) {
    await service.call("record_usage", {
      p_secret_id: secret_id,
      p_requests,
      p_units: 10 * p_requests,
      p_cost,
      p_currency,
    });
  }
}

await use({}, "openai", `sk-proj-${letters(48)}`, [[30, 0.5, "USD"], [10, 2.25, "EUR"]]);
await use({ p_org_id: acme }, "groq", `gsk_${letters(52)}`, [[5, 0, "USD"]]);
// The writer counts soon, not at once.
await until(async () => (await alice.rows("usage_daily")).length === 3);

/** The figures above the chart, by their names. */
async function figures(page: Visit): Promise<Record<string, string>> {
  const all = await page.page.locator(".hftok-figure").evaluateAll((all) =>
    all.map((it) => [it.querySelector("dt")?.textContent ?? "", it.querySelector("dd")?.textContent ?? ""])
  );
  return Object.fromEntries(all);
}

test("sums stand apart by currency", async (open) => {
  const page = await open(alice, "/usage");
  await page.sees("Cost in EUR");
  assert.deepEqual(await figures(page), {
    Requests: "45",
    Units: "450",
    "Cost in EUR": "€2.25",
    "Cost in USD": "$0.50",
  });
  await page.find("radio", "Cost in EUR").click();
  await page.find("heading", "Cost in EUR by day and provider").waitFor();
  // The table, which is there for who cannot see the chart, has the one currency alone.
  const table = page.find("table", "Cost in EUR by day and provider");
  assert.match(await table.innerText(), /€2\.25/);
  assert.doesNotMatch(await table.innerText(), /\$/);
});

test("chart and table say the same, and the table can be seen", async (open) => {
  const page = await open(alice, "/usage");
  const table = page.find("table", "Requests by day and provider");
  await table.waitFor({ state: "attached" });
  const cells = await table.locator("tbody tr").first().locator("td .hftok-cell-value").allInnerTexts();
  assert.deepEqual(cells, ["40", "5", "45"]);
  const chart = page.page.locator(".hftok-chart svg.recharts-surface");
  // The library of charts is loaded after the table is there.
  await chart.waitFor();
  assert.equal(await chart.count(), 1);
  await page.find("button", "Show as a table").press("Enter");
  await chart.waitFor({ state: "detached" });
  assert(((await table.boundingBox())?.height ?? 0) > 40);
  await page.isAccessible();
});

test("one's own, and an organisation's", async (open) => {
  const page = await open(alice, "/usage");
  await page.page.getByRole("button", { name: /Whose/ }).click();
  await page.find("option", acme).click();
  await page.seesNo("Cost in EUR");
  assert.deepEqual(await figures(page), { Requests: "5", Units: "50" });
});

test("a member sees nothing of it, and is told when there is something", async (open) => {
  const page = await open(carol, "/usage");
  await page.sees("Nothing was used in this period");
  await page.isAccessible();
});

test("the library of charts is loaded by a page with a chart only", async (open) => {
  const page = await open(alice, "/huggingface");
  await page.settles();
  const scripts = () =>
    page.page.evaluate(() =>
      performance.getEntriesByType("resource").filter((it) => /stacked_bars/.test(it.name)).length
    );
  assert.equal(await scripts(), 0);
  await page.find("link", "Usage").click();
  await page.page.locator(".recharts-surface").first().waitFor();
  assert.equal(await scripts(), 1);
});

nothingLeaked();
