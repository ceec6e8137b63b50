// On the server: as the service.
import { Hftok, HftokError, type Need } from "hftok-client";

export const dynamic = "force-dynamic";

export async function GET(): Promise<Response> {
  const hftok = new Hftok({ url: String(process.env.HFTOK_URL), token: "t" });
  const need: Need = { userId: "alice" };
  const error: unknown = await hftok.resolve("nobody", need).catch((error: unknown) => error);
  const kind = error instanceof HftokError && error.kind;
  return new Response(`${await hftok.whoami()} ${error instanceof HftokError} ${kind}`);
}
