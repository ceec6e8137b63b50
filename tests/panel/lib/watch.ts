// Everything that a page says and sends while a test is at it: what must not be there fails the test, whatever the test is about.
//
// Must stay true:
// - Nothing is left out by itself: a test names what it expects (`expects`), such as the refusal that it provokes.
// - A value is allowed in one place: the body of a request to an edge function.
import type { BrowserContext, Page, Request, Response } from "playwright-core";
import { found } from "./values.ts";

/** What a page holds, gathered by the browser. */
interface Held {
  storage: string;
  fields: string;
  address: string;
}

const UNREAD_MS = 10_000;

/** Runs before anything of a page: reports what its policy refused. */
const LISTENER = `addEventListener("securitypolicyviolation", (it) =>
  console.error("refused by the policy: " + it.violatedDirective + " " + it.blockedURI + " " + it.sourceFile))`;

/** The watch over one visit. */
export class Watch {
  readonly #origin: string;
  readonly #faults: string[] = [];
  readonly #expected: RegExp[] = [];
  readonly #bodies: Promise<void>[] = [];

  private constructor(origin: string) {
    this.#origin = origin;
  }

  /** Watches every page of a context from now on. */
  static async over(context: BrowserContext, origin: string): Promise<Watch> {
    const watch = new Watch(origin);
    await context.addInitScript(LISTENER);
    context.on("console", (it) => {
      if (["error", "warning"].includes(it.type())) {
        watch.#note(`the console says: ${it.text()} (${it.location().url})`);
      }
      watch.search("the console", it.text());
    });
    context.on("weberror", (it) => watch.#note(`an error in the page: ${it.error().message}`));
    context.on("request", (it) => watch.#request(it));
    context.on("response", (it) => void watch.#bodies.push(watch.#response(it)));
    return watch;
  }

  /** A fault that the test provokes: `/422/`. */
  expects(fault: RegExp): void {
    this.#expected.push(fault);
  }

  /** The page as it is now holds no value: source, fields, storages, caches, address, cookies. */
  async holdsNoValue(page: Page): Promise<void> {
    this.search("the page's source", await page.content());
    const held: Held = await page.evaluate(gather);
    for (const [place, text] of Object.entries(held)) this.search(`the page's ${place}`, text);
    this.search("a cookie", JSON.stringify(await page.context().cookies()));
  }

  /** The faults so far. */
  async faults(): Promise<string[]> {
    await Promise.all(this.#bodies);
    return this.#faults.filter((it) => !this.#expected.some((pattern) => pattern.test(it)));
  }

  #note(fault: string): void {
    this.#faults.push(fault);
  }

  /** Notes each value that a text holds. */
  search(place: string, text: string): void {
    for (const it of found(text)) this.#note(`${place} holds the value ${it}`);
  }

  #request(it: Request): void {
    const url = new URL(it.url());
    if (url.protocol === "data:" || url.protocol === "blob:") return;
    if (url.origin !== this.#origin) this.#note(`the page asks another host: ${it.url()}`);
    this.search("an address", it.url());
    this.search(`the headers to ${url.pathname}`, JSON.stringify(it.headers()));
    if (!url.pathname.startsWith("/functions/v1/")) {
      this.search(`the body to ${url.pathname}`, it.postData() ?? "");
    }
  }

  async #response(it: Response): Promise<void> {
    const { pathname } = new URL(it.url());
    this.search(`the headers of ${pathname}`, JSON.stringify(it.headers()));
    // A redirect has no body, nor has an answer to a page that is gone; one that nobody reads to its end never ends.
    const unread = new Promise<null>((done) => setTimeout(done, UNREAD_MS, null));
    const text = await Promise.race([it.text().catch(() => ""), unread]);
    if (text === null) this.#note(`the answer of ${pathname} was not read to its end`);
    this.search(`the answer of ${pathname}`, text ?? "");
  }
}

/** Runs within the page. */
async function gather(): Promise<Held> {
  const databases = await indexedDB.databases();
  const rows = await Promise.all(databases.map(({ name = "" }) =>
    new Promise<string>((done, fail) => {
      const opening = indexedDB.open(name);
      opening.onerror = () => fail(opening.error);
      opening.onsuccess = () => {
        const stores = Array.from(opening.result.objectStoreNames);
        if (stores.length === 0) return done(name);
        const transaction = opening.result.transaction(stores);
        const requests = stores.map((it) => transaction.objectStore(it).getAll());
        transaction.oncomplete = () => done(name + JSON.stringify(requests.map((it) => it.result)));
      };
    })
  ));
  const fields = Array.from(document.querySelectorAll<HTMLInputElement>("input, textarea, select"));
  return {
    storage: [JSON.stringify(localStorage), JSON.stringify(sessionStorage), ...rows, ...await caches.keys()]
      .join("\n"),
    fields: fields.map((it) => it.value).join("\n"),
    address: location.href + JSON.stringify(history.state),
  };
}
