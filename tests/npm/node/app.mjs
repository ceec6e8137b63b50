// Plain JavaScript under Node.
import { Hftok, HftokError } from "hftok-client";

const hftok = new Hftok({ url: process.env.HFTOK_URL, token: "t" });
const who = await hftok.whoami();
const error = await hftok.check("nobody", "x").catch((error) => error);
console.log(who, error instanceof HftokError, error.kind);
