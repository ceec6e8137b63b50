// Why this token?, in a browser: the ladder follows what is saved, stopped and allowed, and says who must act.
import assert from "node:assert/strict";
import { en } from "../../edge/panel/src/lib/messages/en.ts";
import { es } from "../../edge/panel/src/lib/messages/es.ts";
import { people } from "../rpc/lib/people.ts";
import { everyLook, key, nothingLeaked, type Open, test, type Visit } from "./lib/panel.ts";

const { why } = en;
const { alice, bob, carol, admin, acme } = await people("why");
const own = key.groq();

/** The level of this name, as it stands in the ladder. */
function rung(page: Visit, title: string) {
  return page.find("list", why.legend).getByRole("listitem").filter({
    has: page.page.getByRole("heading", { name: title, exact: true }),
  });
}

async function choose(page: Visit, field: string, choice: string): Promise<void> {
  await page.page.getByRole("button", { name: new RegExp(`${field}$`) }).click();
  await page.find("option", choice).click();
}

test("without any key the request goes out without one, and a key can be added", async (open) => {
  const page = await open(alice, "/why?provider=groq");
  await page.sees(why.ends.none);
  await rung(page, en.levels.user).getByText(why.reasons.absent).waitFor();
  assert.equal(await page.find("list", why.legend).getByRole("listitem").count(), 7);
  await page.find("link", `${why.addKey}: ${en.levels.user}`).click();
  await page.find("heading", en.providers.title).waitFor();
});

test("one's own key is used, with its mask and its name", async (open) => {
  await alice.call("save_credential", { p_provider: "groq", p_secret: own, p_label: "Laptop" });
  const page = await open(alice, "/why?provider=groq");
  await page.sees(why.ends.won.user);
  await rung(page, en.levels.user).getByText(new RegExp(`^gsk_•+${own.slice(-4)}$`)).waitFor();
  await rung(page, en.levels.user).getByText("Laptop").waitFor();
  await rung(page, en.levels.global).getByText(why.reasons.behindWinner).waitFor();
});

test("a key that cannot be used stops the walk before an organisation's, and its owner must act", async (open) => {
  const past = new Date(Date.now() - 86_400_000).toISOString();
  await alice.call("save_credential", { p_provider: "groq", p_secret: own, p_expires_at: past });
  await alice.call("save_credential", { p_provider: "groq", p_secret: key.groq(), p_org_id: acme });
  const page = await open(alice, `/why?provider=groq&org=${acme}`);
  await page.sees(why.ends.stopped);
  await page.find("status").getByText(why.remedies.extend).waitFor();
  await page.sees(why.ends.nextAfterStop(why.orgLevels.org(acme)));
  await rung(page, why.orgLevels.org(acme)).getByText(why.reserve, { exact: true }).waitFor();
});

test("when its owner allows going on, the organisation's is used, and the ladder says so", async (open) => {
  await alice.call("save_credential", { p_provider: "groq", p_secret: own, p_on_unusable: "continue" });
  const past = new Date(Date.now() - 86_400_000).toISOString();
  await alice.call("save_credential", {
    p_provider: "groq",
    p_secret: own,
    p_on_unusable: "continue",
    p_expires_at: past,
  });
  const page = await open(alice, "/why?provider=groq");
  // The only organisation is the one that is meant, until the form says otherwise.
  await page.sees(why.ends.won.org);
  await rung(page, en.levels.user).getByText(why.goesOn).waitFor();
  await choose(page, why.org, why.noOrg);
  await page.sees(why.ends.none);
});

test("a member is told who must act for an organisation's key", async (open) => {
  const [row] = await alice.rows("credentials", { provider: "groq", scope: "org", scope_id: acme });
  await alice.db.from("credentials").update({ enabled: false }).eq("secret_id", row.secret_id);
  const page = await open(carol, "/why?provider=groq");
  await page.sees(why.ends.stopped);
  await page.sees(`${why.actors.org_admin}:`);
  await page.sees(why.remedies.switch_on);
});

test("the form is for the keyboard: the model is typed, the walk follows", async (open) => {
  await alice.call("save_credential", { p_provider: "groq", p_secret: key.groq(), p_model: "fast-1" });
  const page = await open(alice, "/why?provider=groq");
  await page.sees(why.ends.won.org.slice(0, 3));
  await page.page.getByLabel(why.model).focus();
  await page.page.keyboard.type("fast-1");
  await page.sees(why.ends.won.user_model);
  await page.page.keyboard.press("Shift+Tab");
  await page.page.keyboard.press("ArrowDown");
  await page.find("listbox").waitFor();
  await page.page.keyboard.press("Escape");
  await page.sees(why.ends.won.user_model);
});

test("it speaks Spanish", async (open) => {
  const page = await open(carol, "/why?provider=groq", { locale: "es" });
  await page.sees(es.why.ends.stopped);
  await page.sees(`${es.why.actors.org_admin}:`);
});

test("an administrator sets a token for everybody, and the ladder of somebody without one changes", async (open) => {
  const page = await open(bob, "/why?provider=mistral&org=");
  await page.sees(why.ends.none);
  const system = await open(admin, "/system");
  await system.page.getByLabel(en.system.find).fill("Mistral");
  await system.find("button", `${en.system.add}: Mistral`).click();
  await system.find("dialog").locator("input").fill(key.mistral());
  await system.page.keyboard.press("Enter");
  await system.find("dialog").waitFor({ state: "detached" });
  await page.find("button", why.refresh).click();
  await page.sees(why.ends.won.global);
  await rung(page, en.levels.global).getByText(why.pays.global).waitFor();
  // Which key it is, is shown to administrators only.
  assert.equal(await rung(page, en.levels.global).locator("code").count(), 0);
  await system.page.goto("/why?provider=mistral");
  await rung(system, en.levels.global).locator("code").waitFor();
  await system.page.goto("/system");
  await system.page.getByLabel(en.system.find).fill("Mistral");
  await system.find("button", `${en.system.remove}: Mistral`).click();
  await system.find("alertdialog").getByRole("button", { name: en.system.remove }).click();
  await system.find("alertdialog").waitFor({ state: "detached" });
});

everyLook("axe-core finds nothing on a walk that stopped", async (open: Open) => {
  const page = await open(carol, "/why?provider=groq");
  await page.find("list").first().waitFor();
  await page.isAccessible();
});

nothingLeaked();
