import { Hftok, HftokError } from "hftok-client";

const hftok = new Hftok({ url: import.meta.env.VITE_HFTOK_URL, token: "of the session" });
const who: string = await hftok.whoami();
const error: unknown = await hftok.save("nobody", "typed").catch((error: unknown) => error);
console.log(who, error instanceof HftokError, error instanceof HftokError && error.kind);
