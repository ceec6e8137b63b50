// Integrations, in a browser: made by type, verified by themselves while the page follows, repaired, shared, switched off, deleted.
import assert from "node:assert/strict";
import { en } from "../../edge/panel/src/lib/messages/en.ts";
import { es } from "../../edge/panel/src/lib/messages/es.ts";
import { people, service } from "../rpc/lib/people.ts";
import { everyLook, key, nothingLeaked, test, value, type Visit } from "./lib/panel.ts";

const { integrations: words, common, verdict } = en;
const { alice, carol, bob, acme, id } = await people("integrations");
const good = key.openai();
const end = (of: string) => new RegExp(`•${of.slice(-4)}$`);

/** The card of this name. */
function card(page: Visit, name: string) {
  return page.find("article", name);
}

/** Opens the form for a provider. */
async function begin(page: Visit, provider: RegExp, texts = words): Promise<void> {
  await page.find("button", texts.create).first().click();
  await page.find("dialog").getByRole("button", { name: provider }).first().click();
  await page.find("dialog").getByLabel(texts.name, { exact: true }).waitFor();
}

async function choose(page: Visit, name: string, action: string): Promise<void> {
  await page.find("button", common.moreFor(name)).click();
  await page.find("menuitem", action).click();
}

/** The credentials that the backend would be given. */
async function stored(name: string): Promise<unknown> {
  const [row] = await alice.rows("integrations", { name });
  return await service.call("get_integration_credentials", {
    p_integration_id: row.id,
    p_user_id: alice.name,
  });
}

test("a new one is verified by itself, and the page follows until it is connected", async (open) => {
  const page = await open(alice, "/integrations");
  await page.sees(words.emptyTitle);
  await begin(page, /^OpenAI/);
  await page.find("dialog").getByLabel(words.name, { exact: true }).fill("Chat");
  await page.type(/^API key/, good);
  await page.find("button", words.save).click();
  await page.sees(words.saved("Chat"));
  await card(page, "Chat").getByText(words.status.connected, { exact: true }).waitFor();
  await card(page, "Chat").getByText(end(good)).waitFor();
  await card(page, "Chat").getByText(words.sealed, { exact: true }).waitFor();
  assert.equal(await stored("Chat"), good);
  await page.remembersNoValue();
  await page.page.reload();
  await card(page, "Chat").getByText(words.status.connected, { exact: true }).waitFor();
  await page.remembersNoValue();
});

test("one with a key that the provider refuses ends in an error that says so, and is repaired", async (open) => {
  const page = await open(alice, "/integrations");
  await begin(page, /^Anthropic/);
  await page.find("dialog").getByLabel(words.name, { exact: true }).fill("Support");
  await page.type(/^API key/, key.anthropic("bad"));
  await page.find("button", words.save).click();
  await card(page, "Support").getByText(words.status.error, { exact: true }).waitFor();
  await card(page, "Support").getByText(verdict.invalid).waitFor();
  await card(page, "Support").getByText(words.statusText.errorYours).waitFor();
  await choose(page, "Support", words.edit);
  await page.type(/^API key/, key.anthropic());
  await page.find("button", words.save).click();
  await card(page, "Support").getByText(words.status.connected, { exact: true }).waitFor();
  await page.seesNo(words.statusText.errorYours);
});

test("a test of one tells what the provider said", async (open) => {
  const page = await open(alice, "/integrations");
  await page.find("button", `${common.testConnection}: Chat`).click();
  await card(page, "Chat").getByText(en.reasons.accepted("OpenAI")).waitFor();
});

test("a form without what is needed is not sent, and leads to the field", async (open) => {
  const page = await open(alice, "/integrations");
  await begin(page, /^Amazon Web Services/);
  await page.find("button", words.save).click();
  await page.sees(en.providers.enter);
  const label = await page.page.evaluate(() => document.activeElement?.getAttribute("aria-invalid"));
  assert.equal(label, "true");
  await page.find("button", common.cancel).click();
  await page.find("dialog").waitFor({ state: "hidden" });
});

test("what stays empty while others change is kept as it is stored; settings are kept, too", async (open) => {
  const [first, second] = [value(`${"a".repeat(20)}SecretOne${"b".repeat(11)}`), value("c".repeat(40))];
  const page = await open(alice, "/integrations");
  await begin(page, /^Amazon Web Services/);
  await page.find("dialog").getByLabel(words.name, { exact: true }).fill("Bucket");
  await page.type(/^Access key ID/, "AKIAABCDEFGHIJKLMNOP");
  await page.type(/^Secret access key/, first);
  await page.find("button", words.addSetting).click();
  await page.find("textbox", words.settingName).fill("bucket");
  await page.find("textbox", words.settingValue).fill("models");
  await page.find("button", words.save).click();
  await card(page, "Bucket").getByText("models", { exact: true }).waitFor();
  await choose(page, "Bucket", words.edit);
  await page.type(/^Secret access key/, second);
  await page.find("button", words.save).click();
  await page.find("dialog").waitFor({ state: "hidden" });
  assert.deepEqual(await stored("Bucket"), {
    access_key_id: "AKIAABCDEFGHIJKLMNOP",
    secret_access_key: second,
  });
  const [row] = await alice.rows("integrations", { name: "Bucket" });
  assert.deepEqual(row.config, { bucket: "models" });
});

test("a setting that looks like a secret is pointed out", async (open) => {
  const page = await open(alice, "/integrations");
  await choose(page, "Chat", words.edit);
  await page.find("button", words.addSetting).click();
  await page.find("textbox", words.settingName).last().fill("api_key");
  await page.sees(words.looksSecret);
});

test("it is shared with an organisation: members see it, and change nothing", async (open) => {
  const owner = await open(alice, "/integrations");
  await choose(owner, "Chat", words.share);
  await owner.find("switch", acme).click({ force: true });
  await owner.find("button", common.close).last().click();
  await card(owner, "Chat").getByText(words.sharedWith(acme)).waitFor();
  const member = await open(carol, "/integrations");
  await card(member, "Chat").getByText(words.sharedWithYou).waitFor();
  assert.equal(await member.find("button", common.moreFor("Chat")).count(), 0);
  const other = await open(bob, "/integrations");
  await other.sees(words.emptyTitle);
  await choose(owner, "Chat", words.share);
  await owner.find("switch", acme).click({ force: true });
  await owner.find("button", common.close).last().click();
  await card(owner, "Chat").getByText(words.onlyYours).waitFor();
  await member.page.reload();
  await member.sees(words.emptyTitle);
});

test("its owner switches it off and on again", async (open) => {
  const page = await open(alice, "/integrations");
  await choose(page, "Chat", words.disable);
  await card(page, "Chat").getByText(words.status.disabled, { exact: true }).waitFor();
  await card(page, "Chat").getByText(words.statusText.disabledByOwner).waitFor();
  await page.find("button", `${words.enable}: Chat`).click();
  await card(page, "Chat").getByText(words.status.connected, { exact: true }).waitFor();
});

test("it is deleted once that is confirmed", async (open) => {
  const page = await open(alice, "/integrations");
  await choose(page, "Bucket", words.remove);
  await page.find("alertdialog").getByRole("button", { name: common.cancel }).click();
  await card(page, "Bucket").waitFor();
  await choose(page, "Bucket", words.remove);
  await page.find("alertdialog").getByRole("button", { name: words.remove }).click();
  await page.sees(words.removed("Bucket"));
  assert.deepEqual(await alice.rows("integrations", { name: "Bucket" }), []);
});

test("an organisation's is made by who decides for it, in Spanish too", async (open) => {
  const texts = es.integrations;
  const page = await open(alice, "/integrations", { locale: "es" });
  await begin(page, /^Groq/, texts);
  await page.find("dialog").getByLabel(texts.name, { exact: true }).fill("Equipo");
  await page.page.getByRole("button", { name: new RegExp(`${texts.owner}$`) }).click();
  await page.find("option", id("acme")).click();
  await page.type(/^API key/, key.groq());
  await page.find("button", texts.save).click();
  await card(page, "Equipo").getByText(texts.status.connected, { exact: true }).waitFor();
  await card(page, "Equipo").getByText(texts.ofOrg(acme)).waitFor();
});

test("it is made, tested and switched off by the keyboard alone", async (open) => {
  const page = await open(alice, "/integrations");
  const { keyboard } = page.page;
  await page.find("button", words.create).first().focus();
  await keyboard.press("Enter");
  await page.find("dialog").getByLabel(words.search).waitFor();
  await keyboard.type("mistral");
  await page.find("dialog").getByText(words.matches(1)).waitFor();
  await keyboard.press("Tab");
  await keyboard.press("Enter");
  await page.find("dialog").getByLabel(words.name, { exact: true }).waitFor();
  await keyboard.press("ControlOrMeta+a");
  await keyboard.type("Typed");
  // The owner, and where credentials are got.
  for (let tabs = 0; tabs < 3; tabs++) await keyboard.press("Tab");
  await keyboard.type(key.mistral());
  await keyboard.press("Enter");
  await card(page, "Typed").getByText(words.status.connected, { exact: true }).waitFor();
  await page.find("button", common.moreFor("Typed")).focus();
  await keyboard.press("Enter");
  await page.find("menuitem", words.edit).waitFor();
  await keyboard.press("ArrowDown");
  await keyboard.press("ArrowDown");
  await keyboard.press("Enter");
  await card(page, "Typed").getByText(words.status.disabled, { exact: true }).waitFor();
});

everyLook("axe-core finds nothing on cards, in the choice of a type, in a form", async (open, { locale }) => {
  const texts = locale === "es" ? es.integrations : words;
  const page = await open(alice, "/integrations");
  await card(page, "Chat").waitFor();
  await page.isAccessible();
  await page.find("button", texts.create).click();
  await page.find("dialog").getByLabel(texts.search).waitFor();
  await page.isAccessible();
  await page.find("dialog").getByRole("button", { name: /^Google Cloud/ }).click();
  await page.find("dialog").getByLabel(texts.name, { exact: true }).waitFor();
  await page.isAccessible();
});

nothingLeaked();
