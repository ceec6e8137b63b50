// Somebody's visit to the panel: a browser context of their own, which is watched.
//
// Must stay true: a visit ends with its checks; a test that forgets to look at something has it looked at all the same.
import assert from "node:assert/strict";
import { AxeBuilder } from "@axe-core/playwright";
import {
  type Browser,
  type BrowserContext,
  chromium,
  type Locator,
  type Page,
  type Request,
} from "playwright-core";
import type { Person } from "../../rpc/lib/people.ts";
import { Watch } from "./watch.ts";

/** The address of the stack. */
export const ADDRESS = Deno.env.get("HFTOK_STACK_URL") ?? "";
const CHROMIUM = Deno.env.get("HFTOK_CHROMIUM") ?? "/usr/bin/chromium";
const PICTURES = Deno.env.get("PANEL_SCREENSHOTS") === "1" ? Deno.env.get("HFTOK_PICTURES") : undefined;
const FAILED = Deno.env.get("HFTOK_FAILED_PICTURES");
const WIDTHS = [375, 768, 1440] as const;
const TALLEST = 1500;
/** Processors may be busy with other things. */
const PATIENCE_MS = 15_000;

/** A page that has asked for nothing for so long is there. */
const QUIET_MS = 150;

/** How somebody likes it. */
export interface Look {
  locale?: "en" | "es";
  theme?: "light" | "dark";
  width?: number;
}

/** The people of `make try-edge`, beside those that a test makes. */
export type Somebody = Person | "Ana" | "Luis" | "Mira";

let browser: Browser | undefined;

async function chrome(): Promise<Browser> {
  browser ??= await chromium.launch({
    executablePath: CHROMIUM,
    // A signal ends the tests at once, and the browser ends with the pipe to them.
    handleSIGHUP: false,
    handleSIGINT: false,
    handleSIGTERM: false,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
    ],
  });
  return browser;
}

/** Ends the browser of this file. */
export async function endBrowser(): Promise<void> {
  await browser?.close();
  browser = undefined;
}

/** A visit. */
export class Visit {
  /** Requests that are under way, and when the last one began or ended. */
  readonly #open = new Set<Request>();
  #changed = Date.now();

  private constructor(readonly page: Page, readonly watch: Watch, readonly context: BrowserContext) {
    const note = (change: () => void) => {
      change();
      this.#changed = Date.now();
    };
    page.on("request", (it) => note(() => this.#open.add(it)));
    const ended = (it: Request) => note(() => this.#open.delete(it));
    page.on("requestfinished", ended);
    page.on("requestfailed", ended);
  }

  /** Opens the panel, and signs somebody in; null for nobody. */
  static async begin(who: Somebody | null, path = "/", look: Look = {}): Promise<Visit> {
    const context = await (await chrome()).newContext({
      baseURL: ADDRESS,
      locale: look.locale ?? "en",
      colorScheme: look.theme ?? "light",
      viewport: { width: look.width ?? 1440, height: 900 },
      reducedMotion: "reduce",
    });
    context.setDefaultTimeout(PATIENCE_MS);
    const watch = await Watch.over(context, ADDRESS);
    await context.addInitScript(countShifts);
    const page = await context.newPage();
    const visit = new Visit(page, watch, context);
    if (who !== null && typeof who !== "string") await introduce(context, who);
    await page.goto(path);
    if (who !== null) {
      const name = typeof who === "string" ? who : who.name;
      await page.getByRole("button", { name: new RegExp(`${name}\\b`) }).click();
      // The same button takes one away from there.
      await page.getByRole("navigation").first().waitFor();
    }
    return visit;
  }

  /** A part of the page by its role and its name as it is heard. */
  find(role: Parameters<Page["getByRole"]>[0], name?: string | RegExp): Locator {
    return this.page.getByRole(role, name === undefined ? {} : { name });
  }

  /** Types a value into a field, as a person does who pastes it. */
  async type(field: string | RegExp, text: string): Promise<void> {
    await this.page.getByLabel(field).first().fill(text);
  }

  /** Waits for a text on the page. */
  async sees(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).first().waitFor();
  }

  /** Waits until a text is no longer on the page. */
  async seesNo(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).first().waitFor({ state: "hidden" });
  }

  /** Waits until nothing is being read any more. */
  async settles(): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    while (this.#open.size > 0 || Date.now() - this.#changed < QUIET_MS) {
      assert(Date.now() < end, `still under way: ${Array.from(this.#open, (it) => it.url()).join(", ")}`);
      await new Promise((done) => setTimeout(done, 20));
    }
    await this.page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
  }

  /** No value is in the memory of the page's scripts, once those have let go of what they do not need. */
  async remembersNoValue(): Promise<void> {
    const session = await this.context.newCDPSession(this.page);
    const parts: string[] = [];
    session.on("HeapProfiler.addHeapSnapshotChunk", ({ chunk }) => void parts.push(chunk));
    await session.send("HeapProfiler.collectGarbage");
    await session.send("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
    await session.detach();
    this.watch.search("the memory of the page", parts.join(""));
  }

  /** axe-core finds nothing on the page as it is. */
  async isAccessible(): Promise<void> {
    await this.settles();
    const { violations } = await new AxeBuilder({ page: this.page }).analyze();
    const told = violations.map(({ id, help, nodes }) =>
      `${id}: ${help}\n    ${
        nodes.slice(0, 3).map((it) => `${it.target} ${it.failureSummary?.split("\n")[1] ?? ""}`).join(
          "\n    ",
        )
      }`
    );
    assert.deepEqual(told, [], `${this.page.url()}\n${told.join("\n")}`);
  }

  /** The layout shift of the page since it was loaded, as browsers count it. */
  async shift(): Promise<number> {
    return await this.page.evaluate(() => Number(Reflect.get(window, "layoutShift")));
  }

  /** Pictures of the page in three widths, when they are wanted: docs/panel/<name>-<width>.png. */
  async pictures(name: string, widths: readonly number[] = WIDTHS): Promise<void> {
    if (PICTURES === undefined) return;
    for (const width of widths) {
      await this.page.setViewportSize({ width, height: width < 700 ? 812 : 900 });
      await this.settles();
      // The end of a long list shows nothing new.
      const height = Math.min(await this.page.evaluate(() => document.documentElement.scrollHeight), TALLEST);
      const clip = { x: 0, y: 0, width, height };
      const path = `${PICTURES}/${name}-${width}.png`;
      await this.page.screenshot({ path, clip, fullPage: true, animations: "disabled" });
    }
  }

  /** A picture of a test that failed. */
  async lastPicture(name: string): Promise<void> {
    if (FAILED === undefined || this.page.isClosed()) return;
    const path = `${FAILED}/${name.replaceAll(/\W+/g, "-").slice(0, 80)}.png`;
    await this.page.screenshot({ path }).catch(() => {});
    console.log(`the page at that moment: ${path}`);
  }

  /** Nothing was said or kept that must not be. */
  async end(): Promise<void> {
    if (!this.page.isClosed()) await this.watch.holdsNoValue(this.page);
    const faults = await this.watch.faults();
    await this.context.close();
    assert.deepEqual(faults, []);
  }
}

/** Somebody whom the gateway does not know: only their own browser is told of them. */
async function introduce(context: BrowserContext, { name, headers }: Person): Promise<void> {
  const token = headers.Authorization?.replace(/^Bearer /, "");
  await context.route(
    "**/try/people",
    (it) => it.fulfill({ json: { people: [{ id: name, name, about: "somebody of a test" }] } }),
  );
  await context.route("**/try/sign-in", (it) => it.fulfill({ json: { token, expires_in: 3600 } }));
}

/** Runs within the page, before anything of it. */
function countShifts(): void {
  Reflect.set(window, "layoutShift", 0);
  new PerformanceObserver((list) => {
    for (const it of list.getEntries()) {
      if (Reflect.get(it, "hadRecentInput")) continue;
      Reflect.set(window, "layoutShift", Reflect.get(window, "layoutShift") + Reflect.get(it, "value"));
    }
  }).observe({ type: "layout-shift", buffered: true });
}
