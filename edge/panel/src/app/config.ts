// What the app is told when it starts: `config.json` beside it. So one build serves every installation.

/** Where hftok is, and how people sign in. */
export interface Config {
  /** The address of PostgREST; may be a path of the same origin. */
  rest: string;
  /** The address of the edge functions. */
  functions: string;
  /** The publishable key of a Supabase project. */
  apikey?: string;
  /** `supabase`: Supabase's sign-in, at `authUrl`. `try`: the people of `make try-edge`. */
  auth: "supabase" | "try";
  /** For `supabase`: `https://<project>/auth/v1`. */
  authUrl?: string;
}

/** Reads it. */
export async function readConfig(): Promise<Config> {
  const response = await fetch(new URL("config.json", document.baseURI), { redirect: "error" });
  const given: unknown = response.ok ? await response.json() : null;
  if (!isConfig(given)) throw new Error("config.json must have rest, functions and auth");
  const absolute = (address: string) => new URL(address, document.baseURI).href;
  return { ...given, rest: absolute(given.rest), functions: absolute(given.functions) };
}

function isConfig(given: unknown): given is Config {
  if (typeof given !== "object" || given === null) return false;
  const { rest, functions, auth, authUrl }: Partial<Config> = given;
  const isKnown = auth === "try" || (auth === "supabase" && typeof authUrl === "string");
  return typeof rest === "string" && typeof functions === "string" && isKnown;
}
