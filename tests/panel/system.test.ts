// The page System: a token for everybody, which then serves somebody who has none; providers switched off and on; the state of the vault.
import assert from "node:assert/strict";
import { operator, people } from "../rpc/lib/people.ts";
import { key, nothingLeaked, test, type Visit } from "./lib/panel.ts";

const { alice, admin } = await people("panel-system");

/** The row of a provider. */
function row(page: Visit, provider: string) {
  return page.page.getByRole("row").filter({
    has: page.page.getByRole("rowheader", { name: provider, exact: true }),
  });
}

/** Whether a token of the platform serves Alice. */
async function serves(provider: string): Promise<boolean> {
  const levels = await alice.call("tokens_provided", { p_provider: provider });
  return levels.some((it: { level: string; provided: boolean }) => it.level === "global" && it.provided);
}

test("a token for everybody is set, replaced and removed, and only whether there is one is shown", async (open) => {
  const page = await open(admin, "/system");
  await page.page.getByLabel("Find a provider").fill("Groq");
  await row(page, "Groq").getByText("Not set").waitFor();
  assert.equal(await serves("groq"), false);
  await page.find("button", "Set token: Groq").press("Enter");
  await page.find("dialog").waitFor();
  await page.isAccessible();
  await page.find("dialog").locator("input").fill(key.groq());
  await page.page.keyboard.press("Enter");
  await page.sees("Everybody can use Groq now.");
  await row(page, "Groq").getByText("Set", { exact: true }).waitFor();
  assert.equal(await serves("groq"), true);
  await page.find("button", "Replace: Groq").click();
  await page.find("dialog").locator("input").fill(key.groq());
  await page.find("button", "Save Token").click();
  await page.find("dialog").waitFor({ state: "detached" });
  await page.find("button", "Remove: Groq").click();
  await page.find("alertdialog").getByRole("button", { name: "Remove" }).click();
  await page.sees("The token of Groq was removed.");
  assert.equal(await serves("groq"), false);
});

test("a provider is switched off, which is asked first, and on again", async (open) => {
  const page = await open(admin, "/system");
  await page.page.getByLabel("Find a provider").fill("Cohere");
  const enabled = async () => (await admin.rows("providers", { name: "cohere" }))[0].enabled;
  const turn = row(page, "Cohere").getByRole("switch");
  await turn.press("Space");
  await page.find("alertdialog").waitFor();
  await page.page.keyboard.press("Escape");
  assert.equal(await enabled(), true);
  await turn.press("Space");
  await page.find("button", "Switch off").press("Enter");
  await page.sees("Cohere is off.");
  assert.equal(await enabled(), false);
  assert.equal(await row(page, "Cohere").getByRole("button").count(), 0, "no token is set while it is off");
  await turn.press("Space");
  await page.sees("Cohere is on.");
  assert.equal(await enabled(), true);
});

test("the state of the vault, open and sealed", async (open) => {
  const page = await open(admin, "/system");
  await page.sees("Values open, and every use is recorded.");
  await page.find("progressbar", "Sealed with the newest key").waitFor();
  await operator.call("seal");
  try {
    await page.page.reload();
    await page.sees("The vault is sealed");
    // What nobody knows then is not shown, nor what cannot be done.
    await page.sees("Not known while the vault is sealed.");
    assert.deepEqual([await page.find("progressbar").count(), await page.find("table").count()], [0, 0]);
    await page.isAccessible();
  } finally {
    await operator.call("unseal");
  }
});

test("nobody else has the page", async (open) => {
  const page = await open(alice, "/system");
  await page.sees("There is no such page");
});

nothingLeaked();
