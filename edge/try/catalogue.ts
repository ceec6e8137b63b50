// Points the catalogue at the providers' stand-in: every built-in provider is tested there, and asked there by the OpenAI protocol.
//
// Must stay true: a provider's keys may go to its own hosts as before, and to this machine beside them; nothing else of it changes.

/** hftok as an operator calls it. */
export interface Operator {
  rows(view: "providers"): Promise<Provider[]>;
  call(name: string, parameters: { p_provider: object }): Promise<unknown>;
}

/** The columns of view `providers` that matter here; `openai` where this hftok has it. */
export interface Provider {
  name: string;
  hosts: string[] | null;
  test: { url?: string } | null;
  openai?: string | null;
}

/** Registers every provider that has a test or speaks the OpenAI protocol, or those that are named, as living at the stand-in's address. */
export async function pointAt(stub: string, operator: Operator, names?: string[]): Promise<void> {
  for (const provider of await operator.rows("providers")) {
    if (names === undefined || names.includes(provider.name)) {
      const p_provider = moved(provider, stub);
      if (p_provider !== undefined) await operator.call("register_provider", { p_provider });
    }
  }
}

function moved({ name, hosts, test, openai }: Provider, stub: string): object | undefined {
  // Another service's keys go where its owner says.
  if (!hosts?.length) return undefined;
  return {
    name,
    hosts: hosts.includes("127.0.0.1") ? hosts : [...hosts, "127.0.0.1"],
    ...(typeof test?.url === "string" ? { test: { ...test, url: here(test.url, name, stub) } } : {}),
    // An address that is made of a field of the credential leads to the stand-in when the credential does.
    ...(typeof openai === "string" && !openai.startsWith("{") ? { openai: `${stub}/${name}/v1` } : {}),
  };
}

/** The same path and query at the stand-in, which it may have been already; an address that is a field of the credential stays. */
function here(url: string, name: string, stub: string): string {
  return url.replace(/^(?:https:\/\/[^/]+|http:\/\/127\.0\.0\.1:\d+\/\w+)/, `${stub}/${name}`);
}
