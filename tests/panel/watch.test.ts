// The watch itself: each thing that it is there for is done once on purpose, and is seen.
import assert from "node:assert/strict";
import { key, nothingLeaked, test, type Visit } from "./lib/panel.ts";

/** What the watch says of a deed; it is then forgiven. */
async function told(
  page: Visit,
  deed: (value: string) => void | Promise<void>,
  value: string,
): Promise<string[]> {
  await page.page.evaluate(deed, value);
  await page.watch.holdsNoValue(page.page);
  const faults = await page.watch.faults();
  page.watch.expects(/./);
  return faults;
}

const deeds: Record<string, [fault: RegExp, deed: (value: string) => void | Promise<void>]> = {
  "an error in the console": [/the console says: trouble/, () => console.error("trouble")],
  "a value in the console": [/the console holds the value hf_/, (value) => console.log(value)],
  "an error that nobody catches": [/an error in the page: lost/, async () => {
    setTimeout(() => {
      throw new Error("lost");
    });
    await new Promise((done) => setTimeout(done, 200));
  }],
  "a script within the page": [/refused by the policy: script-src/, async () => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
    await new Promise((done) => setTimeout(done, 200));
  }],
  "another host": [/refused by the policy: connect-src/, async () => {
    await fetch("http://localhost:9/").catch(() => {});
  }],
  "a value in the page": [/the page's source holds/, (value) => document.body.append(value)],
  "a value in a field": [/the page's fields holds/, (value) => {
    const field = document.createElement("input");
    field.value = value;
    document.body.append(field);
  }],
  "a value in an address": [/an address holds/, async (value) => {
    await (await fetch(`/try/people?q=${value}`)).text();
  }],
  "a value in the page's own address": [
    /the page's address holds/,
    (value) => history.replaceState(null, "", `?${value}`),
  ],
  "a value for another than the functions": [/the body to \/rest\/v1\/x holds/, async (value) => {
    await (await fetch("/rest/v1/x", { method: "POST", body: value })).text();
  }],
  "a value in a storage": [/the page's storage holds/, (value) => sessionStorage.setItem("x", btoa(value))],
  "a value in a database": [/the page's storage holds/, (value) =>
    new Promise<void>((done, fail) => {
      const opening = indexedDB.open("x");
      opening.onupgradeneeded = () => opening.result.createObjectStore("x", { autoIncrement: true });
      opening.onerror = () => fail(opening.error);
      opening.onsuccess = () => {
        const transaction = opening.result.transaction("x", "readwrite");
        transaction.objectStore("x").add({ value });
        transaction.oncomplete = () => {
          opening.result.close();
          done();
        };
      };
    })],
};

for (const [name, [fault, deed]] of Object.entries(deeds)) {
  test(`seen: ${name}`, async (open) => {
    const page = await open(null);
    await page.settles();
    const faults = await told(page, deed, key.huggingface());
    assert(faults.some((it) => fault.test(it)), faults.join("\n"));
  });
}

test("seen: a value in the memory of the page", async (open) => {
  const page = await open(null);
  await page.page.evaluate((value) => Reflect.set(window, "kept", { value }), key.huggingface());
  await page.remembersNoValue();
  assert.deepEqual((await page.watch.faults()).length, 1);
  page.watch.expects(/the memory of the page holds/);
});

nothingLeaked();
