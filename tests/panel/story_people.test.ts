// The story of people who depend on each other, across their pages: an administrator's token changes a user's ladder, an integration goes from
// verifying to connected and to error, an organisation's admin shares it, and the audit tells all of it.
import { en } from "../../edge/panel/src/lib/messages/en.ts";
import { people, type Person } from "../rpc/lib/people.ts";
import { key, nothingLeaked, test, type Visit } from "./lib/panel.ts";

const { why, system, integrations, providers, common, verdict, audit } = en;
// Alice owns acme, carol is a member of it; bob belongs elsewhere; admin is the application's administrator.
const { alice, bob, carol, admin, acme } = await people("people");
const HUB = "Hugging Face";
const NAME = "OpenAI of the team";

/** Chooses from a list by its label. */
async function choose(page: Visit, label: string, choice: string): Promise<void> {
  await page.page.getByRole("button", { name: new RegExp(label) }).click();
  await page.page.getByRole("option", { name: choice, exact: true }).click();
}

/** Waits until the walk of somebody who has the page open ends so. */
async function walkEnds(page: Visit, end: string): Promise<void> {
  await page.find("button", why.refresh).click();
  await page.find("status").getByRole("heading", { name: end }).waitFor();
}

test("an administrator sets the platform's token, and the ladder of a user changes", async (open) => {
  const user = await open(bob, "/why");
  await choose(user, why.provider, HUB);
  await walkEnds(user, why.ends.none);
  const administrator = await open(admin, "/system");
  await administrator.find("button", `${system.add}: ${HUB}`).click();
  const dialog = administrator.page.getByRole("dialog");
  await dialog.locator("input[type=password]").fill(key.huggingface());
  await dialog.getByRole("button", { name: system.save }).click();
  await administrator.sees(system.saved(HUB));
  await walkEnds(user, why.ends.won.global);
  await administrator.find("button", `${system.remove}: ${HUB}`).click();
  await administrator.find("alertdialog").getByRole("button", { name: system.remove }).click();
  await administrator.sees(system.removed(HUB));
  await walkEnds(user, why.ends.none);
});

/** The card of the integration. */
const card = (page: Visit) => page.page.getByRole("article", { name: NAME });

async function act(page: Visit, action: string): Promise<void> {
  await card(page).getByRole("button", { name: common.moreFor(NAME) }).click();
  await page.find("menuitem", action).click();
}

async function giveKey(page: Visit, secret: string): Promise<void> {
  const dialog = page.page.getByRole("dialog");
  await dialog.locator("input[type=password]").fill(secret);
  await dialog.getByRole("button", { name: integrations.save }).click();
  await dialog.waitFor({ state: "hidden" });
}

test("an integration is verified by itself, and connected", async (open) => {
  const page = await open(alice, "/integrations");
  await page.find("button", integrations.create).first().click();
  await page.page.getByRole("dialog").getByRole("button", { name: /^OpenAI/ }).click();
  await page.page.getByLabel(integrations.name).fill(NAME);
  await giveKey(page, key.openai("pausing"));
  // The provider takes its time, so that both are seen.
  await card(page).getByText(integrations.status.verifying, { exact: true }).waitFor();
  await card(page).getByText(integrations.status.connected, { exact: true }).waitFor();
  await page.remembersNoValue();
});

test("with a key that is refused it is in error, and says why; with another one connected again", async (open) => {
  const page = await open(alice, "/integrations");
  await act(page, integrations.edit);
  await giveKey(page, key.openai("bad"));
  await card(page).getByText(integrations.status.error, { exact: true }).waitFor();
  await card(page).getByText(verdict.invalid).first().waitFor();
  await act(page, integrations.edit);
  await giveKey(page, key.openai());
  await card(page).getByText(integrations.status.connected, { exact: true }).waitFor();
});

test("an admin shares it with the organisation: its members see it, others do not", async (open) => {
  const [owner, member, stranger] = [
    await open(alice, "/integrations"),
    await open(carol, "/integrations"),
    await open(bob, "/integrations"),
  ];
  await member.sees(integrations.emptyTitle);
  await act(owner, integrations.share);
  await owner.page.getByRole("switch", { name: acme }).focus();
  await owner.page.keyboard.press("Space");
  await owner.page.getByRole("dialog").getByRole("button", { name: common.close }).last().click();
  await card(owner).getByText(integrations.sharedWith(acme)).waitFor();
  for (const page of [member, stranger]) await page.page.reload();
  await card(member).getByText(integrations.sharedWithYou).waitFor();
  await member.isAccessible();
  if (await card(member).getByRole("button", { name: common.testConnection }).count() > 0) {
    throw new Error("a member can test what is not theirs");
  }
  await stranger.sees(integrations.emptyTitle);
});

/** Saves a key for OpenAI on the page of providers. */
async function saveKey(page: Visit, secret: string): Promise<void> {
  await page.page.getByRole("button", { name: /^OpenAI/ }).first().click();
  const dialog = page.page.getByRole("dialog");
  await dialog.locator("input[type=password]").fill(secret);
  await dialog.getByRole("button", { name: providers.save }).click();
  await page.sees(providers.saved("OpenAI"));
}

test("the audit shows all of it to an administrator", async (open) => {
  await saveKey(await open(alice, "/providers"), key.openai());
  const page = await open(admin, "/audit");
  const did = async (who: Person, action: string) => {
    await page.page.getByLabel(audit.person).fill(who.name);
    await page.find("button", audit.find).click();
    const row = page.page.getByRole("row").filter({ hasText: who.name }).filter({ hasText: action });
    await row.first().waitFor();
  };
  for (
    const action of [
      "save_credential",
      "create_integration_with_vault",
      "share_integration",
      "update_integration",
    ]
  ) {
    await did(alice, action);
  }
  await did(admin, "save_credential");
});

nothingLeaked();
