// The settings of the functions, from their environment.
//
// Must stay true: no token of any provider is among them. The platform's own lies in hftok at scope global, where the walk
// reaches it by its rules and says so; one in the environment would be used without anybody knowing.

/** The address of hftok, and the keys that it is called with. */
export interface Settings {
  /** PostgREST. */
  url: string;
  /** The key that Supabase's gateway wants beside a JWT. */
  apikey: string | undefined;
  /** A key of a role that is hftok_service. */
  serviceKey: string;
  /** Origins that may read answers in a browser; null for any. */
  origins: string[] | null;
}

/** A variable that is set and not blank. */
export function variable(name: string): string | undefined {
  return Deno.env.get(name)?.trim() || undefined;
}

/** The settings; missing ones are an error that names them, when the function starts. */
export function read(): Settings {
  const project = variable("SUPABASE_URL");
  const url = variable("HFTOK_REST_URL") ?? (project && `${project.replace(/\/+$/, "")}/rest/v1`);
  const serviceKey = variable("HFTOK_SERVICE_KEY") ?? variable("SUPABASE_SERVICE_ROLE_KEY");
  if (!url) throw new Error("SUPABASE_URL or HFTOK_REST_URL must be set");
  if (!serviceKey) throw new Error("SUPABASE_SERVICE_ROLE_KEY or HFTOK_SERVICE_KEY must be set");
  const origins = variable("HFTOK_ALLOWED_ORIGINS")?.split(",").map((origin) => origin.trim());
  return {
    url,
    apikey: variable("SUPABASE_ANON_KEY"),
    serviceKey,
    origins: !origins || origins.includes("*") ? null : origins,
  };
}
