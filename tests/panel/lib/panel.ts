// The tests of the panel: each opens visits, and each visit is held to the same rules when the test ends.
//
//   test("a token is saved", async (open) => {
//     const page = await open(alice, "/huggingface");
//     …
//   });
//   nothingLeaked();     // the last line of each file
//
// Must stay true: a file ends its browser.
import assert from "node:assert/strict";
import { count, found } from "./values.ts";
import { endBrowser, type Look, type Somebody, Visit } from "./visit.ts";

export { key, value } from "./values.ts";
export { ADDRESS, type Look, type Visit } from "./visit.ts";

/** Opens the panel as somebody. */
export type Open = (who: Somebody | null, path?: string, look?: Look) => Promise<Visit>;

/** A test with visits. */
export function test(name: string, fn: (open: Open) => Promise<void>): void {
  Deno.test({
    name,
    // The browser outlives a test.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const visits: Visit[] = [];
      try {
        await fn(async (who, path, look) => {
          const visit = await Visit.begin(who, path, look);
          visits.push(visit);
          return visit;
        });
      } catch (error) {
        for (const visit of visits) {
          await visit.lastPicture(name);
          console.log((await visit.watch.faults()).join("\n"));
          await visit.context.close();
        }
        throw error;
      }
      for (const visit of visits) await visit.end();
    },
  });
}

/** A page in both languages and both themes: what a language changes, names, has nothing to do with what a theme changes, contrasts. */
export function everyLook(name: string, fn: (open: Open, look: Look) => Promise<void>): void {
  for (const [locale, theme] of [["en", "light"], ["es", "dark"]] as const) {
    test(`${name} (${locale}, ${theme})`, async (open) => {
      await fn((who, path, look) => open(who, path, { locale, theme, ...look }), { locale, theme });
    });
  }
}

/** The last test of a file: no value in what the servers wrote. Ends the browser. */
export function nothingLeaked(): void {
  test("no value in any log of the servers", async () => {
    await endBrowser();
    const logs = (Deno.env.get("HFTOK_LOGS") ?? "").split(":");
    assert(logs.length > 1, "nothing was looked at");
    for (const log of logs) {
      const text = await Deno.readTextFile(log);
      assert.deepEqual(found(text), [], log);
    }
    if (count() === 0) console.log("no value was typed");
  });
}
