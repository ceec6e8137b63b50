// Work that the client does not wait for: verdicts and usage.
//
// Must stay true: the work ends even when the client is gone and the function would be put to sleep. A failure is a line in
// the log, and changes nothing for the client.
import { HftokError } from "./client/mod.ts";
import { Refusal } from "./refusal.ts";
import { log } from "./serve.ts";

/** The part of Supabase's runtime that plain Deno lacks. */
interface Runtime {
  EdgeRuntime?: { waitUntil(work: Promise<unknown>): void };
}

/** Lets work go on by itself. */
export function inBackground(name: string, work: Promise<unknown>[]): void {
  const all = Promise.all(work.map((it) =>
    it.catch((error) => {
      const refused = error instanceof Refusal ? error.code : "internal";
      const code = error instanceof HftokError ? error.code ?? error.kind : refused;
      log(name, { afterwards: "failed", code });
    })
  ));
  (globalThis as Runtime).EdgeRuntime?.waitUntil(all);
}
