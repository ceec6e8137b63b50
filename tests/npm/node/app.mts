// TypeScript for Node: compiled as Node resolves modules, with declarations checked.
import { type Database, Hftok, HftokError, type Need, type Views } from "hftok-client";

const hftok = new Hftok({ url: String(process.env.HFTOK_URL), token: "t" });
const need: Need = { userId: null, orgId: "acme" };
const who: string = await hftok.whoami();
const error: unknown = await hftok.resolve("nobody", need).catch((error: unknown) => error);
export type Own = Views["provider_secrets"]["Row"];
export type Same = Database["hftok"]["Views"]["provider_secrets"]["Row"];
// @ts-expect-error: a user that was forgotten
const forgotten = hftok.resolve("nobody").catch(() => null);
await forgotten;
console.log(who, error instanceof HftokError, error instanceof HftokError && error.kind);
