// The page of providers, as a person meets it: which have keys, and everything that is done with a key.
import assert from "node:assert/strict";
import { people, user } from "../rpc/lib/people.ts";
import { letters } from "../rpc/lib/exchange.ts";
import { key, nothingLeaked, test, value, type Visit } from "./lib/panel.ts";

const { alice, carol, acme } = await people("panel-providers");
const anew = async (name: string) => await user(`panel-providers-${name}`);
const PATH = "/providers";

async function choose(page: Visit, provider: string): Promise<void> {
  await page.find("button", new RegExp(`^${provider}`)).click();
  await page.find("dialog").waitFor();
}

async function act(page: Visit, provider: string, action: string): Promise<void> {
  await page.find("button", `More actions for ${provider}`).click();
  await page.find("menuitem", action).click();
}

test("a key is added, its provider is asked by itself, and only the mask is to be seen", async (open) => {
  const page = await open(await anew("adder"), PATH);
  await page.sees("No keys yet");
  await choose(page, "Mistral");
  const mistral = key.mistral();
  await page.type("API key", mistral);
  await page.find("button", "Test Connection").click();
  await page.sees("Connected");
  await page.find("button", "Save key").click();
  await page.sees("The key for Mistral is saved.");
  await page.find("row", /Mistral.*Verified/).waitFor();
  await page.sees(/1 of \d+ providers have a key/);
  await page.remembersNoValue();
  await page.page.reload();
  await page.find("row", new RegExp(`${mistral.slice(-4)}.*Verified`)).waitFor();
});

test("a key that its provider refuses is said to be refused, before saving and after", async (open) => {
  const page = await open(await anew("refused"), PATH);
  await choose(page, "Groq");
  await page.type("API key", key.groq("bad"));
  await page.find("button", "Test Connection").click();
  await page.sees("Failed to verify credentials");
  await page.sees("Groq refuses the credential.");
  await page.find("button", "Save key").click();
  await page.find("row", /Groq.*Refused/).waitFor();
});

test("what a provider says beyond yes and no has a sentence of its own", async (open) => {
  const page = await open(await anew("verdicts"), PATH);
  await choose(page, "Groq");
  const sentences = {
    limited: "Groq wants a rest.",
    broken: "Groq has trouble of its own at the moment.",
    elsewhere: "Groq pointed elsewhere",
  };
  for (const [word, sentence] of Object.entries(sentences)) {
    await page.type("API key", key.groq(word));
    await page.find("button", "Test Connection").click();
    await page.sees(sentence);
  }
  await page.type("API key", "");
});

test("a key is replaced, and the former value is taken back", async (open) => {
  const who = await anew("replacer");
  const [first, second] = [key.openai(), key.openai()];
  await who.call("save_credential", { p_provider: "openai", p_secret: first });
  const page = await open(who, PATH);
  await act(page, "OpenAI", "Replace");
  await page.type("API key", second);
  await page.find("button", "Save key").click();
  await page.find("row", new RegExp(second.slice(-4))).waitFor();
  await act(page, "OpenAI", "Former values");
  await page.find("button", "Take back version 1").click();
  await page.sees("The former key for OpenAI is in use again.");
  await page.find("row", new RegExp(first.slice(-4))).waitFor();
});

test("whoever saw an older value does not overwrite a newer one unknowingly", async (open) => {
  const who = await anew("late");
  await who.call("save_credential", { p_provider: "openai", p_secret: key.openai() });
  const page = await open(who, PATH);
  page.watch.expects(/409/);
  await act(page, "OpenAI", "Replace");
  await who.call("save_credential", { p_provider: "openai", p_secret: key.openai() });
  await page.type("API key", key.openai());
  await page.find("button", "Save key").click();
  await page.sees("Somebody else changed it in the meantime.");
});

test("a key is deleted after a question, and its provider waits for another", async (open) => {
  const who = await anew("deleter");
  await who.call("save_credential", { p_provider: "groq", p_secret: key.groq() });
  const page = await open(who, PATH);
  await act(page, "Groq", "Delete");
  await page.sees("Delete the key for Groq?");
  await page.page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await page.sees("The key for Groq was deleted.");
  await page.find("button", /^Groq/).waitFor();
  assert.deepEqual(await who.rows("credentials"), []);
});

test("the form has the fields of the catalogue, and says which are missing", async (open) => {
  const page = await open(await anew("fields"), PATH);
  await choose(page, "Amazon Web Services");
  for (const label of ["Access key ID", "Secret access key", "Session token", "Region"]) {
    await page.page.getByLabel(label).first().waitFor();
  }
  await page.find("button", "Save key").click();
  await page.sees("Enter it to go on.");
  assert.equal(await page.page.getByText("Enter it to go on.").count(), 2);
  await page.type("Access key ID", `AKIA${letters(16).toUpperCase().replaceAll(/[^A-Z]/g, "A")}`);
  await page.type("Secret access key", value(letters(40)));
  await page.find("button", "Save key").click();
  await page.find("row", /Amazon Web Services/).waitFor();
});

test("a second person sees nothing of the first one's keys", async (open) => {
  const [owner, other] = [await anew("owner"), await anew("other")];
  const groq = key.groq();
  await owner.call("save_credential", { p_provider: "groq", p_secret: groq });
  const page = await open(other, PATH);
  await page.sees("No keys yet");
  assert(!(await page.page.content()).includes(groq.slice(-4)));
});

test("providers are found by a part of their names", async (open) => {
  const page = await open(await anew("seeker"), PATH);
  await page.find("searchbox", "Find a provider").fill("open");
  await page.find("button", /^OpenRouter/).waitFor();
  assert.equal(await page.find("button", /^Groq/).count(), 0);
  await page.find("searchbox", "Find a provider").fill("nobody has this name");
  await page.sees("No provider has this name.");
});

test("a key is added by keyboard alone", async (open) => {
  const page = await open(await anew("keyboard"), PATH);
  await page.find("button", /^Replicate/).focus();
  await page.page.keyboard.press("Enter");
  await page.find("dialog").waitFor();
  await page.page.waitForFunction(() => document.activeElement?.closest("[role=dialog]") !== null);
  await page.page.getByLabel("API key").first().focus();
  await page.page.keyboard.type(value(`r8_${letters(37)}`));
  await page.page.keyboard.press("Enter");
  await page.find("row", /Replicate/).waitFor();
});

test("a form with an error is as accessible as the page", async (open) => {
  const page = await open(await anew("accessible"), PATH, { theme: "dark" });
  await choose(page, "Azure \\(");
  await page.find("button", "Save key").click();
  await page.sees("Enter it to go on.");
  await page.isAccessible();
});

test("an organisation's keys are kept on its page by its admins, and are not its members'", async (open) => {
  const groq = key.groq();
  await alice.call("save_credential", { p_provider: "groq", p_secret: groq, p_org_id: acme });
  const [asOwner, asMember] = [await open(alice, "/organisation"), await open(carol, PATH)];
  await asOwner.find("tab", "Tokens").click();
  await asOwner.find("row", new RegExp(`Groq.*${groq.slice(-4)}`)).waitFor();
  await choose(asOwner, "Mistral");
  await asOwner.type("API key", key.mistral());
  await asOwner.find("button", "Save key").click();
  await asOwner.find("row", /Mistral/).waitFor();
  await asMember.sees("No keys yet");
});

nothingLeaked();
