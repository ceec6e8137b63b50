// The broker of models in front of the providers' stand-in, OpenAI's own SDK as it is used with it, and keys by what becomes of them.
import { pointAt, takeBack } from "../../../edge/try/catalogue.ts";
import { Providers } from "../../../edge/try/providers.ts";
import { OpenAI } from "../../rpc/lib/clients.ts";
import { letters } from "../../rpc/lib/exchange.ts";
import { operator, type Person, service } from "../../rpc/lib/people.ts";
import { query } from "../../rpc/lib/server.ts";
import { type Running, test, unseen } from "./functions.ts";

/** The stand-in, to which the catalogue then leads. */
export async function standIn(): Promise<Providers> {
  const stub = new Providers();
  await pointAt(stub.url, operator);
  return stub;
}

/** The last test but one of a file: the next one begins with the catalogue as it is, and without keys of everybody's. */
export function putAway(stub: Providers): void {
  test("the stand-in and the keys of all are put away", async () => {
    const rows = await service.rows("credentials", { scope: "global" });
    for (const { provider, model } of rows) {
      await service.call("delete_credential", { p_provider: provider, p_model: model, p_global: true });
    }
    await takeBack(operator);
    await stub.stop();
  });
}

/** A key of these providers has no other one's form; the word in it says what becomes of it. */
export function key(word = "good", provider = "mistral"): string {
  return unseen(`${PREFIXES[provider] ?? ""}${word}${letters(32)}`);
}
const PREFIXES: Record<string, string> = {
  openai: "sk-proj-",
  groq: "gsk_",
  huggingface: "hf_",
  openrouter: "sk-or-v1-",
};

/** Saves a key as the service does; gives it, and the id of its credential. */
export async function saved(
  address: Record<string, unknown>,
  value = key(),
  provider = "mistral",
): Promise<{ value: string; secret: string }> {
  const p_secret = provider === "azure_openai"
    ? JSON.stringify({ endpoint: address.endpoint, api_key: value })
    : value;
  const { endpoint: _, ...parameters } = address;
  const { secret_id } = await service.call("save_credential", {
    p_provider: provider,
    p_secret,
    ...parameters,
  });
  return { value, secret: secret_id };
}

/** OpenAI's SDK, with a user's JWT in the place of a key. */
export function sdk(
  broker: Running,
  who: Person,
  provider = "mistral",
  headers: Record<string, string> = {},
): OpenAI {
  return new OpenAI({
    baseURL: `${broker.url}/${provider}/v1`,
    apiKey: who.headers.Authorization?.replace("Bearer ", "") ?? "",
    defaultHeaders: headers,
    maxRetries: 0,
  });
}

/** The verdict that hftok has of a credential. */
export async function verdict(secret: string): Promise<string | null> {
  return (await query(`SELECT verdict FROM hftok_private.secrets WHERE id = '${secret}'`))[0].verdict;
}

/** The requests and tokens that were counted for a credential. */
export async function counted(secret: string): Promise<[requests: number, units: number]> {
  const [row] = await query(
    `SELECT coalesce(sum(requests), 0)::int AS requests, coalesce(sum(units), 0)::int AS units
     FROM hftok.usage_daily WHERE secret_id = '${secret}'`,
  );
  return [row.requests, row.units];
}

/** A chat of one line. */
export const chat = { model: "small", messages: [{ role: "user" as const, content: "Hello there" }] };
