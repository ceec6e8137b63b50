// Keys of models, in a browser: a model uses its provider's key, is given one of its own, and loses it again.
import assert from "node:assert/strict";
import { en } from "../../edge/panel/src/lib/messages/en.ts";
import { people, service } from "../rpc/lib/people.ts";
import { everyLook, key, nothingLeaked, test, type Visit } from "./lib/panel.ts";

const { models, common, verdict, why } = en;
const { alice, bob } = await people("models");
const [usual, own] = [key.openai(), key.openai()];
const MODEL = "gpt-of-the-tests";
const end = (of: string) => new RegExp(`•${of.slice(-4)}$`);

async function resolved(): Promise<string | null> {
  const of = { p_provider: "openai", p_model: MODEL, p_user_id: alice.name };
  const answer = await service.call("resolve_token", { ...of, p_levels: ["user_model", "user"] });
  return answer.token;
}

/** The dialog for a model of OpenAI that is named. */
async function naming(page: Visit): Promise<void> {
  await page.find("button", models.add).click();
  await page.find("dialog").getByLabel(models.model, { exact: true }).fill(MODEL);
}

test("a model without a key of its own uses its provider's, and the form says so", async (open) => {
  await alice.call("save_credential", { p_provider: "openai", p_secret: usual });
  const page = await open(alice, "/models");
  await page.sees(models.emptyTitle);
  await naming(page);
  await page.sees(models.uses.user("OpenAI"));
  await page.find("dialog").getByText(end(usual)).waitFor();
  await page.sees(models.keyHint);
  assert(await page.find("button", models.save).isDisabled(), "nothing is there to be saved");
});

test("a test asks about the key in the form, or else about the provider's", async (open) => {
  const page = await open(alice, "/models");
  await naming(page);
  await page.sees(models.testsProvider);
  await page.find("button", common.testConnection).click();
  await page.sees(verdict.verified);
  await page.type(/^API key/, key.openai("bad"));
  await page.sees(models.testsForm);
  await page.find("button", common.testConnection).click();
  await page.sees(verdict.invalid);
  await page.type(/^API key/, "");
  assert.equal(await resolved(), usual, "a test saves nothing");
});

test("it is given one, which is used from then on and shown as a mask", async (open) => {
  const page = await open(alice, "/models");
  await naming(page);
  await page.type(/^API key/, own);
  await page.find("button", models.save).click();
  await page.sees(models.saved(MODEL));
  await page.sees(models.ownKey);
  assert.equal(await resolved(), own);
  await page.remembersNoValue();
  await page.page.keyboard.press("Escape");
  await page.find("row", new RegExp(MODEL)).getByText(end(own)).waitFor();
});

test("why it uses that key is one step away", async (open) => {
  const page = await open(alice, "/models");
  await page.find("button", common.moreFor(MODEL)).click();
  await page.find("menuitem", models.why).click();
  await page.sees(why.ends.won.user_model);
});

test("another person has neither the model nor its key", async (open) => {
  const page = await open(bob, "/models");
  await page.sees(models.emptyTitle);
});

test("without it the provider's key is used again", async (open) => {
  const page = await open(alice, "/models");
  await page.find("button", common.moreFor(MODEL)).click();
  await page.find("menuitem", models.remove).click();
  await page.find("alertdialog").getByRole("button", { name: models.remove }).click();
  await page.sees(models.removed(MODEL));
  await page.sees(models.emptyTitle);
  assert.equal(await resolved(), usual);
});

everyLook("axe-core finds nothing in the form", async (open, { locale }) => {
  const page = await open(alice, "/models");
  const words = locale === "es"
    ? (await import("../../edge/panel/src/lib/messages/es.ts")).es.models
    : models;
  await page.find("button", words.add).click();
  await page.find("dialog").getByLabel(words.model, { exact: true }).fill(MODEL);
  await page.sees(words.uses.user("OpenAI"));
  await page.isAccessible();
});

nothingLeaked();
