// Points the catalogue at the providers' stand-in: every provider is tested there, and asked there by the OpenAI protocol.
//
// Must stay true: a provider's keys may go to its own hosts as before, and to this machine beside them; nothing else of it changes.
import type { Json } from "../client/mod.ts";

const HERE = "127.0.0.1";

/** hftok as an operator calls it. */
export interface Operator {
  rows(view: "providers"): Promise<Provider[]>;
  call(name: "register_provider" | "unregister_provider", parameters: { p_provider: Json }): Promise<unknown>;
}

/** The columns of view `providers` that matter here; `openai` where this hftok has it. */
export interface Provider {
  name: string | null;
  hosts: string[] | null;
  test: Json;
  openai?: string | null;
}

/** Describes the providers, or those that are named, as living at the stand-in's address. */
export async function pointAt(stub: string, operator: Operator, names?: string[]): Promise<void> {
  await takeBack(operator, names);
  for (const provider of await listed(operator, names)) {
    const p_provider = moved(provider, stub);
    if (p_provider !== undefined) await operator.call("register_provider", { p_provider });
  }
}

/** Takes back what was described as living on this machine. */
export async function takeBack(operator: Operator, names?: string[]): Promise<void> {
  for (const { name, hosts } of await listed(operator, names)) {
    if (hosts?.includes(HERE)) await operator.call("unregister_provider", { p_provider: name });
  }
}

async function listed(operator: Operator, names?: string[]): Promise<Provider[]> {
  const all = await operator.rows("providers");
  return all.filter(({ name }) => name !== null && (names === undefined || names.includes(name)));
}

function moved({ name, hosts, test, openai }: Provider, stub: string): Json | undefined {
  // Another service's keys go where its owner says.
  if (!hosts?.length) return undefined;
  // An address that is a field of the credential leads to the stand-in where the credential does.
  const here = (url: string) => url.replace(/^https:\/\/[^/]+/, `${stub}/${name}`);
  const request = typeof test === "object" && !Array.isArray(test) ? test : null;
  return {
    name,
    hosts: [...hosts, HERE],
    ...(typeof request?.url === "string" ? { test: { ...request, url: here(request.url) } } : {}),
    ...(typeof openai === "string" && !openai.startsWith("{") ? { openai: `${stub}/${name}/v1` } : {}),
  };
}
