// The story of a token, across the pages that it meets: saved, shown as a mask only, tested good and bad, replaced, taken back, deleted;
// and never seen by anybody else.
import assert from "node:assert/strict";
import { en } from "../../edge/panel/src/lib/messages/en.ts";
import { people, type Person, service } from "../rpc/lib/people.ts";
import { key, nothingLeaked, test, type Visit } from "./lib/panel.ts";

const { huggingface, providers, common, verdict, reasons } = en;
const { alice, bob } = await people("story");
const [first, second] = [key.huggingface(), key.huggingface()];
const end = (of: string) => new RegExp(`^hf_•+${of.slice(-4)}$`);

/** The token that hftok would hand out for somebody, as the backend sees it. */
async function resolved(who: Person): Promise<string | null> {
  const of = { p_provider: "huggingface", p_user_id: who.name, p_levels: ["user"] };
  return (await service.call("resolve_token", of)).token;
}

async function save(page: Visit, field: string, token: string): Promise<void> {
  await page.type(field, token);
  await page.find("button", huggingface.save).click();
  await page.sees(huggingface.saved);
}

test("a person saves a token; after a reload there is its mask, and nothing else of it", async (open) => {
  const page = await open(alice, "/huggingface");
  await page.sees(huggingface.noneTitle);
  await save(page, huggingface.field, first);
  await page.sees(end(first));
  // It is tested by itself.
  await page.sees(reasons.accepted("Hugging Face"));
  await page.remembersNoValue();
  await page.page.reload();
  await page.sees(end(first));
  await page.sees(en.status.verified);
  assert.equal(await resolved(alice), first);
  await page.remembersNoValue();
});

test("it is tested good, and another one bad before it is saved", async (open) => {
  const page = await open(alice, "/huggingface");
  await page.sees(end(first));
  await page.find("button", common.testConnection).click();
  await page.sees(verdict.verified);
  await page.type(huggingface.replaceField, key.huggingface("bad"));
  await page.find("button", common.testConnection).click();
  await page.sees(verdict.invalid);
  await page.type(huggingface.replaceField, "");
  assert.equal(await resolved(alice), first, "a test saves nothing");
});

test("what the provider says in between is said as it is: no credit, too often, broken, elsewhere", async (open) => {
  const page = await open(alice, "/huggingface");
  await page.sees(end(first));
  const said = {
    unpaid: reasons.unpaid,
    limited: reasons.rate_limited,
    broken: reasons.unavailable,
    elsewhere: reasons.redirected,
  };
  for (const [word, sentence] of Object.entries(said)) {
    await page.type(huggingface.replaceField, key.huggingface(word));
    await page.find("button", common.testConnection).click();
    await page.sees(sentence("Hugging Face"));
  }
  await page.type(huggingface.replaceField, "");
});

test("it is replaced, and the former value taken back", async (open) => {
  const page = await open(alice, "/huggingface");
  await page.sees(end(first));
  await save(page, huggingface.replaceField, second);
  await page.sees(end(second));
  assert.equal(await resolved(alice), second);
  await page.find("link", providers.title).click();
  await page.find("button", common.moreFor("Hugging Face")).click();
  await page.find("menuitem", providers.history).click();
  await page.find("button", providers.takeBackVersion(1)).click();
  await page.sees(providers.restored("Hugging Face"));
  await page.sees(end(first));
  assert.equal(await resolved(alice), first);
});

test("another person sees nothing of it, on no page", async (open) => {
  const page = await open(bob, "/huggingface");
  await page.sees(huggingface.noneTitle);
  await page.find("link", providers.title).click();
  await page.settles();
  const text = await page.page.locator("body").innerText();
  assert(!text.includes(first.slice(-4)) && !text.includes(second.slice(-4)), text);
});

test("it is deleted once that is confirmed", async (open) => {
  const page = await open(alice, "/huggingface");
  await page.sees(end(first));
  await page.find("button", huggingface.remove).click();
  await page.find("alertdialog").getByRole("button", { name: common.cancel }).click();
  await page.find("alertdialog").waitFor({ state: "hidden" });
  await page.sees(end(first));
  await page.find("button", huggingface.remove).click();
  await page.find("alertdialog").getByRole("button", { name: huggingface.remove }).click();
  await page.sees(huggingface.removed);
  await page.sees(huggingface.noneTitle);
  assert.equal(await resolved(alice), null);
});

nothingLeaked();
