// Everything of `make try-edge` but Postgres and PostgREST, which tools/try-edge.sh has started: the providers' stand-in, the functions,
// the gateway, and the data. The one line that it prints is the address; the log goes to standard error.
//
// From the environment: HFTOK_RPC_URL (PostgREST), HFTOK_JWT_SECRET, HFTOK_DENO, HFTOK_FUNCTIONS and HFTOK_PANEL (folders; without the
// last there are no pages), HFTOK_PORT (a free one if it is not set).
//
// Must stay true: it ends when whoever started it ends it, and nothing that it started outlives it.
import { fill } from "./data.ts";
import { Gateway } from "./gateway.ts";
import { People, PUBLISHABLE_KEY, SECRET_KEY } from "./people.ts";
import { startAll, stopAll } from "./processes.ts";
import { Providers } from "./providers.ts";

function needed(name: string): string {
  const value = Deno.env.get(name);
  if (!value) throw new Error(`${name} must be set`);
  return value;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    stopAll();
    Deno.exit(0);
  });
}

const rest = needed("HFTOK_RPC_URL");
const people = new People(needed("HFTOK_JWT_SECRET"));
const providers = new Providers();
await fill(rest, people, providers.url);

const functions = new Map<string, string>();
const parts = { panel: Deno.env.get("HFTOK_PANEL") || null, rest, functions, people };
const gateway = new Gateway(parts, Number(Deno.env.get("HFTOK_PORT") ?? 0));
const running = await startAll(needed("HFTOK_DENO"), needed("HFTOK_FUNCTIONS"), {
  // As a project of Supabase gives them to its functions.
  SUPABASE_URL: gateway.url,
  SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: PUBLISHABLE_KEY }),
  SUPABASE_SECRET_KEYS: JSON.stringify({ default: SECRET_KEY }),
  HF_BASE_URL: `${providers.url}/huggingface`,
  DENO_DIR: needed("DENO_DIR"),
});
for (const [name, url] of running) functions.set(name, url);
console.log(gateway.url);
