// The hooks of the panel by themselves, in an application that draws everything itself.
import assert from "node:assert/strict";
import { user } from "../rpc/lib/people.ts";
import { ADDRESS, key, nothingLeaked, test, type Visit } from "./lib/panel.ts";

const PAGE = `${ADDRESS}/headless`;
const built = await build();

/** Builds the application; its files by their names. */
async function build(): Promise<Map<string, string>> {
  const out = await Deno.makeTempDir();
  const { success, stderr } = await new Deno.Command("node", {
    args: ["../../edge/panel/node_modules/vite/bin/vite.js", "build", "--config", "headless/vite.config.mjs"],
    cwd: import.meta.dirname,
    env: { HEADLESS_OUT: out },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const names = Array.from(Deno.readDirSync(out), ({ name }) => name);
  const files = await Promise.all(
    names.map(async (name): Promise<[string, string]> => [name, await Deno.readTextFile(`${out}/${name}`)]),
  );
  await Deno.remove(out, { recursive: true });
  return new Map(files);
}

/** Opens the application as somebody who has nothing yet, under the policy of the gateway. */
async function begin(visit: Visit, name: string): Promise<void> {
  const { headers } = await user(`panel-hooks-${name}`);
  const jwt = headers.Authorization?.replace(/^Bearer /, "") ?? "";
  await visit.context.addInitScript((jwt) => sessionStorage.setItem("jwt", jwt), jwt);
  await visit.context.route("**/headless", (it) =>
    it.fulfill({
      contentType: "text/html",
      headers: {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; img-src data:; connect-src 'self'",
      },
      body: '<!doctype html><title>own</title><link rel="icon" href="data:,"><div id="root"></div>' +
        '<script type="module" src="/headless/hooks.js"></script>',
    }));
  await visit.context.route("**/headless/*", (it) => {
    const name = new URL(it.request().url()).pathname.split("/").at(-1) ?? "";
    return it.fulfill({ contentType: "text/javascript", body: built.get(name) ?? "" });
  });
  await visit.page.goto(PAGE);
}

/** Waits until the application shows this. */
async function shows(visit: Visit, pattern: RegExp): Promise<void> {
  await visit.page.locator("output").filter({ hasText: pattern }).waitFor();
}

async function press(visit: Visit, name: string): Promise<void> {
  await visit.page.getByRole("button", { name, exact: true }).click();
}

test("a key is saved, replaced, taken back and deleted by hooks, and none of them keeps it", async (open) => {
  const visit = await open(null);
  await begin(visit, "saver");
  await shows(visit, /"configured":false/);
  const [first, second] = [key.openai(), key.openai()];
  await visit.type("value", first);
  await press(visit, "save");
  await shows(visit, new RegExp(`"configured":true.*${first.slice(-4)}","version":1`));
  await visit.remembersNoValue();
  await visit.type("value", second);
  await press(visit, "save");
  await shows(visit, new RegExp(`${second.slice(-4)}","version":2`));
  await visit.remembersNoValue();
  await press(visit, "back");
  await shows(visit, new RegExp(`${first.slice(-4)}","version":3`));
  await press(visit, "delete");
  await shows(visit, /"configured":false/);
});

test("of a key that was just saved the hook says that its provider is being asked, and then what it said", async (open) => {
  const visit = await open(null);
  await begin(visit, "verifying");
  await shows(visit, /"configured":false/);
  await visit.type("value", key.openai("pausing"));
  await press(visit, "save");
  await shows(visit, /"isVerifying":true/);
  await shows(visit, /"isVerifying":false/);
});

test("a test by the hook stores nothing, and a failure has a code", async (open) => {
  const visit = await open(null);
  visit.watch.expects(/400/);
  await begin(visit, "tester");
  await shows(visit, /"configured":false/);
  await visit.type("value", key.openai("bad"));
  await press(visit, "test");
  await shows(visit, /"configured":false.*"verdict":"invalid"/);
  await visit.type("value", "********");
  await press(visit, "save");
  await shows(visit, /"failure":"bad_input"/);
});

nothingLeaked();
