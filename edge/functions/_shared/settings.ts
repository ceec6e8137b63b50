// The settings of the functions, from their environment.
//
// Must stay true: no token of any provider is among them. The platform's own lies in hftok at scope global, where the walk
// reaches it by its rules and says so; one in the environment would be used without anybody knowing.
import { isObject, parsed } from "./client/json.ts";

/** The address of hftok, and who may read answers. */
export interface Connection {
  /** PostgREST. */
  url: string;
  /** The key that Supabase's gateway wants beside a JWT. */
  apikey: string | undefined;
  /** Origins that may read answers in a browser; null for any. */
  origins: string[] | null;
}

/** The same, and the key of a function that acts for its users. */
export interface Settings extends Connection {
  /** A key of a role that is hftok_service: a JWT, or a secret key of Supabase. */
  serviceKey: string;
}

/** A variable that is set and not blank. */
export function variable(name: string): string | undefined {
  return Deno.env.get(name)?.trim() || undefined;
}

/**
 * One of Supabase's new keys: of several in one JSON object the one named `default`, or the only one. Where it runs by itself it has one
 * variable a key.
 */
function key(kind: "SECRET" | "PUBLISHABLE"): string | undefined {
  const name = `SUPABASE_${kind}_KEYS`;
  const text = variable(name);
  if (text === undefined) return variable(`SUPABASE_${kind}_KEY`);
  const keys = parsed(text);
  if (!isObject(keys)) throw new Error(`${name} must be a JSON object of keys`);
  const found = keys.default ?? (Object.keys(keys).length === 1 ? Object.values(keys)[0] : undefined);
  if (typeof found !== "string" || found === "") throw new Error(`${name} must have a key named default`);
  return found;
}

/** The settings; missing ones are an error that names them, when the function starts. */
export function read(): Settings {
  const connection = readConnection();
  const serviceKey = variable("HFTOK_SERVICE_KEY") ?? key("SECRET") ?? variable("SUPABASE_SERVICE_ROLE_KEY");
  if (!serviceKey) {
    throw new Error("SUPABASE_SECRET_KEYS, SUPABASE_SERVICE_ROLE_KEY or HFTOK_SERVICE_KEY must be set");
  }
  return { ...connection, serviceKey };
}

/** The settings of a function that has no key of its own. */
export function readConnection(): Connection {
  const project = variable("SUPABASE_URL");
  const url = variable("HFTOK_REST_URL") ?? (project && `${project.replace(/\/+$/, "")}/rest/v1`);
  if (!url) throw new Error("SUPABASE_URL or HFTOK_REST_URL must be set");
  const origins = variable("HFTOK_ALLOWED_ORIGINS")?.split(",").map((origin) => origin.trim());
  return {
    url,
    apikey: key("PUBLISHABLE") ?? variable("SUPABASE_ANON_KEY"),
    origins: !origins || origins.includes("*") ? null : origins,
  };
}
