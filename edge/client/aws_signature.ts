// Amazon's Signature Version 4 of one request, by WebCrypto.
//
// Must stay true: what is signed is what is sent, so that whoever sends the request changes nothing of it afterwards.

/** The long-term or temporary key of an account. */
export interface AwsKey {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** A request before it is signed. */
export interface Unsigned {
  method: string;
  url: URL;
  headers: [name: string, value: string][];
  body?: string;
}

/** The region and the service that a signature is for. */
export interface Scope {
  region: string;
  service: string;
}

/** The scope in the name of a host: `sts.eu-west-1.amazonaws.com`. Amazon's global hosts are in us-east-1. */
export function scopeOf(host: string): Scope {
  const [service, region] = /^([\w.-]+)\.amazonaws\.com$/.exec(host)?.[1]?.split(".") ?? [];
  return { service: service ?? "sts", region: region ?? "us-east-1" };
}

/** The headers that sign a request: time, session token and `Authorization`. */
export async function sign(
  request: Unsigned,
  key: AwsKey,
  { region, service }: Scope,
  now: Date,
): Promise<Record<string, string>> {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const day = time.slice(0, 8);
  const added: Record<string, string> = { "x-amz-date": time };
  if (key.sessionToken !== undefined) added["x-amz-security-token"] = key.sessionToken;
  const headers = canonicalHeaders([
    ...request.headers,
    ["host", request.url.host],
    ...Object.entries(added),
  ]);
  const names = headers.map(([name]) => name).join(";");
  const canonical = [
    request.method,
    canonicalPath(request.url),
    canonicalQuery(request.url),
    ...headers.map(([name, value]) => `${name}:${value}`),
    "",
    names,
    hex(await sha256(request.body ?? "")),
  ].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", time, scope, hex(await sha256(canonical))].join("\n");
  let signing = bytes(`AWS4${key.secretAccessKey}`);
  for (const part of [day, region, service, "aws4_request"]) signing = await hmac(signing, part);
  const signature = hex(await hmac(signing, text));
  const credential = `Credential=${key.accessKeyId}/${scope}`;
  return {
    ...added,
    Authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

/** Names in lower case and in order, values without needless blanks. */
function canonicalHeaders(headers: [string, string][]): [string, string][] {
  return headers
    .map(([name, value]): [string, string] => [name.toLowerCase(), value.trim().replace(/ +/g, " ")])
    .sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
}

/** Each segment is encoded once more than it is sent. */
function canonicalPath(url: URL): string {
  return url.pathname.split("/").map(encoded).join("/");
}

/** Names and values encoded, and only then in order. */
function canonicalQuery(url: URL): string {
  return [...url.searchParams].map(([name, value]) => `${encoded(name)}=${encoded(value)}`).sort().join("&");
}

/** Everything but the unreserved characters of RFC 3986. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (it) => `%${it.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

async function sha256(text: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes(text)));
}

async function hmac(key: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, bytes(text)));
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

function hex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
