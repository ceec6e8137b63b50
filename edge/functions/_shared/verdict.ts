// Asking a provider what it thinks of a credential, by the test request in hftok's catalogue: the client's, with refusals for users.
//
// Must stay true: the request goes where the catalogue says and nowhere else, and only to a host that the catalogue lets the
// provider's credentials go to.
import type { Hftok, Json } from "./client/mod.ts";
import type { Finding } from "./client/test_answer.ts";
import { ask, type ProviderTest, testOf as described } from "./client/test_request.ts";
import { Refusal } from "./refusal.ts";

export type { Finding, ProviderTest };
export { sentence } from "./client/test_answer.ts";

/** The test request of a provider. */
export async function testOf(hftok: Hftok, provider: string): Promise<ProviderTest> {
  const [known] = await hftok.rows("providers", {
    name: `eq.${provider}`,
    select: "name,label,test,fields,hosts",
  });
  if (!known?.test) {
    throw new Refusal(501, "no_test", "The catalogue has no request that tests this provider's keys.");
  }
  const test = described(known);
  if (test === null) {
    throw new Refusal(500, "misconfigured", "The catalogue's test goes to none of the provider's hosts.");
  }
  return test;
}

/** Tests a credential. */
export function judge(test: ProviderTest, credential: Json, client: AbortSignal): Promise<Finding> {
  return ask(test, credential, client);
}
