// Under Deno, which takes packages of npm by their name, and checks what they declare.
import { Hftok, HftokError, type Need } from "hftok-client";

const hftok = new Hftok({ url: Deno.env.get("HFTOK_URL")!, token: "t" });
const need: Need = { userId: null };
const who: string = await hftok.whoami();
const error: unknown = await hftok.resolve("nobody", need).catch((error: unknown) => error);
console.log(who, error instanceof HftokError, error instanceof HftokError && error.kind);
