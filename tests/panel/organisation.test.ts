// The page Organisation: members, for an owner, an admin and a member; its tokens; its usage. By the keyboard where it matters.
import assert from "node:assert/strict";
import { letters } from "../rpc/lib/exchange.ts";
import { people, service, user } from "../rpc/lib/people.ts";
import { nothingLeaked, test, type Visit } from "./lib/panel.ts";

const { alice, carol, acme, id } = await people("panel-org");
const dan = id("dan");
const admin = await user(id("adam"));
await alice.call("add_member", { p_org_id: acme, p_user_id: admin.name, p_role: "admin" });
await alice.call("save_credential", { p_provider: "groq", p_secret: `gsk_${letters(52)}`, p_org_id: acme });

/** The roles of the members, as hftok has them. */
async function roles(): Promise<Record<string, string>> {
  const rows = await service.rows("members", { org_id: acme });
  return Object.fromEntries(rows.map((it) => [it.user_id, it.role]));
}

/** The row of a member. */
function row(page: Visit, member: string) {
  return page.page.getByRole("row").filter({ has: page.page.getByRole("rowheader", { name: member }) });
}

test("an owner adds a member by the keyboard, makes them an admin, and lets them go", async (open) => {
  const page = await open(alice, "/organisation");
  await page.find("button", "Add member").press("Enter");
  await page.page.keyboard.press("Enter");
  await page.sees("Enter the id of the person.");
  await page.page.keyboard.type(dan);
  await page.page.keyboard.press("Enter");
  await page.sees(`${dan} is a member now.`);
  assert.equal((await roles())[dan], "member");
  await row(page, dan).getByRole("button", { name: `Role of ${dan}` }).press("Enter");
  await page.page.keyboard.press("ArrowUp");
  await page.page.keyboard.press("Enter");
  await page.sees(`${dan}: Admin from now on.`);
  assert.equal((await roles())[dan], "admin");
  await row(page, dan).getByRole("button", { name: `Remove ${dan}` }).press("Enter");
  const question = page.find("alertdialog");
  await question.waitFor();
  await page.isAccessible();
  await page.page.keyboard.press("Escape");
  await question.waitFor({ state: "detached" });
  assert.equal((await roles())[dan], "admin");
  await row(page, dan).getByRole("button", { name: `Remove ${dan}` }).press("Enter");
  await question.getByRole("button", { name: "Remove" }).press("Enter");
  await page.sees(`${dan} was removed.`);
  assert.equal((await roles())[dan], undefined);
});

test("the last owner can neither leave nor be made anything else", async (open) => {
  const page = await open(alice, "/organisation");
  await row(page, alice.name).waitFor();
  assert.equal(await row(page, alice.name).getByRole("button").count(), 0);
  await page.sees("The last owner stays");
});

test("an admin is not offered what is an owner's", async (open) => {
  const page = await open(admin, "/organisation");
  await page.sees("Only owners change owners");
  assert.equal(await row(page, alice.name).getByRole("button").count(), 0);
  await row(page, carol.name).getByRole("button", { name: `Role of ${carol.name}` }).click();
  await page.find("option", /^Admin/).waitFor();
  assert.deepEqual(
    (await page.page.getByRole("option").allInnerTexts()).map((it) => it.split("\n")[0]),
    ["Admin", "Member"],
  );
});

test("the organisation's tokens and usage are there for who looks after it", async (open) => {
  const page = await open(admin, "/organisation");
  await page.find("tab", "Tokens").click();
  await page.sees("Groq");
  await page.isAccessible();
  await page.find("tab", "Usage").click();
  await page.sees("Nothing was used in this period");
  await page.isAccessible();
});

test("a member sees who belongs to it, and changes nothing but their own membership", async (open) => {
  const page = await open(carol, "/organisation");
  await page.sees("You are a member here.");
  assert.equal(await page.find("tab").count(), 0);
  assert.equal(await page.find("button", "Add member").count(), 0);
  assert.equal(await row(page, alice.name).getByRole("button").count(), 0);
  await page.isAccessible();
  await row(page, carol.name).getByRole("button", { name: "Leave" }).click();
  await page.find("alertdialog").getByRole("button", { name: "Leave" }).click();
  // The page is no longer theirs.
  await page.sees("There is no such page");
  assert.equal((await roles())[carol.name], undefined);
});

nothingLeaked();
