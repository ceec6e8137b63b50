// What holds for every page, whoever wrote it: nothing that axe-core finds, in both languages and both themes; a light first load; a page that
// stays where it is. Pages are those that the navigation shows to one of the three people, so a new one is tested without being named here.
import assert from "node:assert/strict";
import { everyLook, nothingLeaked, type Open, test, type Visit } from "./lib/panel.ts";

const PEOPLE = ["Ana", "Luis", "Mira"] as const;
/** A page that is more to somebody else than to the first of them who has it. */
const FOR: Record<string, string> = { "/organisation": "Luis" };
const SCRIPT_MAX = 200_000;
/** Below this a page is called stable; ours should not move at all, but fonts are measured to fractions of a pixel. */
const SHIFT_MAX = 0.01;

/** The pages of a person, by their links. */
async function pagesOf(page: Visit): Promise<string[]> {
  await page.settles();
  const links = await page.page.locator("nav a[href^='/']").evaluateAll((all) =>
    all.map((it) => it.getAttribute("href") ?? "")
  );
  return [...new Set(links)].filter((it) => it !== "/");
}

/** Each page with the first of the people who has it, and their visit. */
async function eachPage(open: Open, look: (page: Visit, path: string) => Promise<void>): Promise<void> {
  const seen = new Set<string>();
  for (const person of PEOPLE) {
    const page = await open(person);
    for (const path of await pagesOf(page)) {
      if (seen.has(path) || (FOR[path] ?? person) !== person) continue;
      seen.add(path);
      await page.page.goto(path);
      await page.settles();
      await look(page, path);
    }
  }
  assert(seen.size > 0, "the navigation is empty");
}

everyLook("axe-core finds nothing on the page to sign in", async (open) => {
  const page = await open(null);
  await page.find("heading").first().waitFor();
  await page.isAccessible();
});

everyLook(
  "on any page axe-core finds nothing, and nothing moves while it loads",
  async (open, { locale, theme }) => {
    await eachPage(open, async (page, path) => {
      const shift = await page.shift();
      assert(shift <= SHIFT_MAX, `${path} moves by ${shift}`);
      await page.isAccessible();
      const name = path.slice(1).replaceAll("/", "-");
      await (locale === "en" ? page.pictures(name) : page.pictures(`${name}-${locale}-${theme}`, [1440]));
    });
  },
);

test("a first load has less than 200 kB of compressed script, packed by whoever serves it", async (open) => {
  const page = await open("Ana");
  await page.settles();
  const loaded = await page.page.evaluate(() =>
    performance.getEntriesByType("resource").filter((it) => new URL(it.name).pathname.endsWith(".js"))
      .map((it) => ({ name: it.name, size: Number(Reflect.get(it, "encodedBodySize")) }))
  );
  const sum = loaded.reduce((sum, it) => sum + it.size, 0);
  assert(sum > 10_000, "no script was seen");
  assert(sum < SCRIPT_MAX, `${sum} bytes: ${JSON.stringify(loaded)}`);
});

nothingLeaked();
