// Signing in where config.json says `supabase`: the panel's own part of it. Supabase's answers are the test's.
import assert from "node:assert/strict";
import type { Route } from "playwright-core";
import { en } from "../../edge/panel/src/lib/messages/en.ts";
import { people, type Person } from "../rpc/lib/people.ts";
import { ADDRESS, nothingLeaked, type Open, test, type Visit } from "./lib/panel.ts";

const { signIn, app } = en;
const { alice, bob } = await people("supabase");
const token = ({ headers }: Person) => headers.Authorization?.slice("Bearer ".length) ?? "";

function sessionOf(who: Person) {
  const user = {
    id: who.name,
    email: `${who.name}@example.com`,
    aud: "authenticated",
    app_metadata: {},
    user_metadata: {},
  };
  return {
    access_token: token(who),
    token_type: "bearer",
    expires_in: 3600,
    refresh_token: who.name,
    user,
  };
}

/** Supabase, as far as the panel asks it; with `isReached` false nobody can sign out. */
async function supabase(route: Route, isReached: boolean): Promise<void> {
  const { pathname } = new URL(route.request().url());
  if (pathname.endsWith("/logout")) {
    return await (isReached ? route.fulfill({ status: 204 }) : route.abort());
  }
  const by = route.request().headers()["authorization"]?.slice(
    "Bearer ".length,
  );
  if (pathname.endsWith("/user")) {
    const who = [alice, bob].find((it) => token(it) === by) ?? alice;
    return await route.fulfill({ json: sessionOf(who).user });
  }
  const { email } = route.request().postDataJSON();
  await route.fulfill({
    json: sessionOf(email.startsWith(alice.name) ? alice : bob),
  });
}

/** The panel with Supabase's sign-in. */
async function panel(open: Open, { isReached = true } = {}): Promise<Visit> {
  const visit = await open(null);
  const json = {
    auth: "supabase",
    authUrl: `${ADDRESS}/auth/v1`,
    rest: "/rest/v1",
    functions: "/functions/v1",
    apikey: "sb_publishable_try",
  };
  await visit.context.route("**/config.json", (it) => it.fulfill({ json }));
  await visit.context.route("**/auth/v1/**", (it) => supabase(it, isReached));
  await visit.page.goto("/");
  return visit;
}

async function enter(page: Visit["page"], who: Person): Promise<void> {
  await page.getByLabel(signIn.email).fill(`${who.name}@example.com`);
  await page.getByLabel(signIn.password).fill("a password");
  await page.getByRole("button", { name: signIn.submit }).click();
  await page.getByText(`${who.name}@example.com`).first().waitFor();
}

test("somebody signs in, and is still there when the page is loaded again", async (open) => {
  const { page } = await panel(open);
  await enter(page, alice);
  await page.reload();
  await page.getByText(`${alice.name}@example.com`).first().waitFor();
});

test("an address with a session in it signs nobody in", async (open) => {
  const { page } = await panel(open);
  await page.getByLabel(signIn.password).waitFor();
  const session = new URLSearchParams({
    access_token: token(bob),
    refresh_token: "another's",
    expires_in: "3600",
    token_type: "bearer",
    type: "magiclink",
  });
  await page.goto("about:blank");
  await page.goto(`/#${session}`);
  await page.getByLabel(signIn.password).waitFor();
  assert.equal(await page.evaluate(() => localStorage.length), 0);
});

test("a window in whose place another one signs in shows who that is, and nothing of the former one", async (open) => {
  const { page, context } = await panel(open);
  const other = await context.newPage();
  await other.goto("/");
  await other.getByLabel(signIn.password).waitFor();
  await enter(page, alice);
  await enter(other, bob);
  await page.getByText(`${bob.name}@example.com`).first().waitFor();
  assert.equal(await page.getByText(`${alice.name}@example.com`).count(), 0);
});

test("signing out ends the session here also while Supabase is not reached", async (open) => {
  const visit = await panel(open, { isReached: false });
  visit.watch.expects(/ERR_FAILED|Failed to fetch/);
  await enter(visit.page, alice);
  await visit.find("button", app.signOut).click();
  await visit.page.getByLabel(signIn.password).waitFor();
  await visit.page.reload();
  await visit.page.getByLabel(signIn.password).waitFor();
});

nothingLeaked();
