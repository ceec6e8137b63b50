// Calling a provider with a token.
//
// Must stay true: request and token reach the host that hftok released the token for, and no other. A redirect is followed
// only to the same scheme, host and port, and only where the request stays the same; every other one is an error.
import type { Destination } from "./destination.ts";
import type { IdleDeadline } from "./deadline.ts";
import { Refusal } from "./refusal.ts";

const REDIRECTS = [301, 302, 303, 307, 308];
const SAME_REQUEST = [307, 308];
const MOST_REDIRECTS = 3;

/** The request that is sent. */
export interface Outbound {
  method: string;
  headers: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer>;
}

/** Sends a request, and gives the answer as soon as its headers are there. */
export async function send(to: Destination, outbound: Outbound, deadline: IdleDeadline): Promise<Response> {
  let url = to.url;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const answer = await attempt(url, outbound, deadline);
    if (!REDIRECTS.includes(answer.status)) return answer;
    await answer.body?.cancel();
    const location = answer.headers.get("Location");
    // An empty one would be the same address, and the request would be made again.
    if (!location || !URL.canParse(location, url.href)) break;
    url = new URL(location, url);
    const isSame = outbound.method === "GET" || SAME_REQUEST.includes(answer.status);
    if (!isSame || url.origin !== to.url.origin || url.username !== "" || url.password !== "") break;
  }
  throw new Refusal(502, "redirected", "The provider redirects elsewhere, and tokens are not taken there.");
}

async function attempt(url: URL, outbound: Outbound, deadline: IdleDeadline): Promise<Response> {
  try {
    return await fetch(url, { ...outbound, redirect: "manual", signal: deadline.signal });
  } catch {
    // The error may quote a header, so it is not passed on.
    if (deadline.ranOut) throw new Refusal(504, "timeout", "The provider did not answer in time.");
    throw new Refusal(502, "unreachable", "The provider cannot be reached.");
  }
}
