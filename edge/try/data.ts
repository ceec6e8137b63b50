// A little data, so that no page is empty: an organisation, keys of its people, integrations, and what was used of them.
//
// Must stay true:
// - Every key is made up anew, in the form of its provider's; the stand-in takes those without a word in them.
// - People save their own, as themselves, so that the audit tells a story that could have been.
import { Hftok, type Saving } from "../client/mod.ts";
import { pointAt } from "./catalogue.ts";
import { ORGANISATION, type People } from "./people.ts";

const SERVICE = { role: "service_role" };
const OPERATOR = { role: "operator" };
const user = (sub: string) => ({ role: "authenticated", sub });

/** hftok at an address, as any of them. */
type As = (claims: object) => Promise<Hftok>;

/** Fills an empty hftok at PostgREST's address. */
export async function fill(rest: string, people: People, stub: string): Promise<void> {
  const as: As = async (claims) => new Hftok({ url: rest, token: await people.jwt(claims) });
  const operator = await as(OPERATOR);
  await pointAt(stub, {
    rows: (view) => operator.rows(view),
    call: (name, { p_provider }) =>
      name === "register_provider"
        ? operator.call(name, { p_provider })
        : operator.call(name, { p_provider: String(p_provider) }),
  });
  await found(as);
  await saveKeys(as);
  await connect(as);
}

/** The organisation: somebody must own it, whom nobody is. */
async function found(as: As): Promise<void> {
  const service = await as(SERVICE);
  const members = { olga: "owner", luis: "admin", ana: "member", noor: "member" };
  for (const [p_user_id, p_role] of Object.entries(members)) {
    await service.call("add_member", { p_org_id: ORGANISATION, p_user_id, p_role });
  }
  await service.call("grant_administrator", { p_user_id: "mira" });
}

async function saveKeys(as: As): Promise<void> {
  const [service, ana, luis, mira] = await Promise.all(
    [SERVICE, user("ana"), user("luis"), user("mira")].map(as),
  );
  const save = async (who: Hftok | undefined, provider: string, key: string, saving: Saving = {}) =>
    await who?.save(provider, key, saving);
  const soon = new Date(Date.now() + 5 * 24 * 3600 * 1000).toISOString();
  const openai = await save(ana, "openai", `sk-proj-${letters(48)}`);
  await save(ana, "openai", `sk-proj-${letters(48)}`, { model: "gpt-large" });
  const groq = await save(ana, "groq", `gsk_bad${letters(49)}`);
  await save(ana, "anthropic", `sk-ant-api03-${letters(93)}AA`, { expiresAt: soon });
  const shared = await save(luis, "huggingface", `hf_${letters(34)}`, { orgId: ORGANISATION });
  await save(luis, "mistral", letters(32), { orgId: ORGANISATION });
  const platform = await save(mira, "openai", `sk-svcacct-${letters(48)}`, { global: true });
  for (const saved of [openai, shared, platform]) if (saved) await service?.report(saved, "verified");
  if (groq) await service?.report(groq, "invalid", "Groq does not accept this key.");
  // Somebody worked with them: the audit and the counts know it.
  const needs = [["openai", "ana"], ["huggingface", "ana"], ["huggingface", "noor"], [
    "openai",
    "noor",
  ]] as const;
  for (const [provider, userId] of needs) {
    const resolved = await service?.resolve(provider, { userId, orgId: ORGANISATION });
    if (resolved) await service?.recordUsage(resolved, { units: 1800, cost: 0.02, currency: "USD" });
  }
  // Somebody asked for what only the backend is given: the audit knows that, too.
  await ana?.resolve("openai", { userId: "ana" }).catch(() => {});
}

async function connect(as: As): Promise<void> {
  const service = await as(SERVICE);
  const create = async (who: string, name: string, type: string, key: string) => {
    const made = { p_name: name, p_type: type, p_credentials: JSON.stringify({ api_key: key }) };
    return await (await as(user(who))).call("create_integration_with_vault", made);
  };
  const production = await create("ana", "OpenAI, production", "openai", `sk-proj-${letters(48)}`);
  const former = await create("ana", "The former Groq account", "groq", `gsk_bad${letters(49)}`);
  const shared = await create("luis", "Mistral of the research group", "mistral", letters(32));
  await service.integrations.report(production, "ana", "connected");
  await service.integrations.report(former, "ana", "error", "Groq does not accept this key.");
  await service.integrations.report(shared, "luis", "connected");
  const luis = await as(user("luis"));
  await luis.call("share_integration", { p_integration_id: shared, p_org_id: ORGANISATION });
}

/** Letters and digits without small vowels, so that no word comes about by chance. */
function letters(length: number): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZbcdfghjklmnpqrstvwxyz0123456789";
  const random = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(random, (n) => alphabet[n % alphabet.length]).join("");
}
