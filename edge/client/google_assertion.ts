// The JWT by which a service account of Google asks for an access token (RFC 7523), signed by WebCrypto (RS256, RFC 7515).
//
// Must stay true: it says whom it is for and ends soon, so that whoever sees one cannot use it elsewhere or later.

/** The parts of a service account's file that sign. */
export interface ServiceAccount {
  clientEmail: string;
  /** PEM of PKCS #8, as Google's file has it. */
  privateKey: string;
  privateKeyId?: string;
}

/** Google takes an hour at most; a test needs no more than a clock that goes wrong. */
const LIFE_SECONDS = 300;
/** Google's keys have 2048 bits, and a third of this. Signing takes eight times as long with a key twice as long. */
const LONGEST_KEY_BYTES = 4096;
const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const ALGORITHM = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };

/** The assertion for an address that gives tokens; null when the private key is none that can be read. */
export async function assertion(
  account: ServiceAccount,
  audience: string,
  now: Date,
): Promise<string | null> {
  const key = await privateKey(account.privateKey);
  if (key === null) return null;
  const kid = account.privateKeyId;
  const header = { alg: "RS256", typ: "JWT", ...(kid === undefined ? {} : { kid }) };
  const seconds = Math.floor(now.getTime() / 1000);
  const times = { iat: seconds, exp: seconds + LIFE_SECONDS };
  const claims = { iss: account.clientEmail, scope: SCOPE, aud: audience, ...times };
  return await signed(JSON.stringify(header), JSON.stringify(claims), key);
}

/** A header and a payload as a JSON Web Signature in its compact form. */
export async function signed(header: string, payload: string, key: CryptoKey): Promise<string> {
  const text = `${base64url(bytes(header))}.${base64url(bytes(payload))}`;
  const signature = await crypto.subtle.sign(ALGORITHM.name, key, bytes(text));
  return `${text}.${base64url(new Uint8Array(signature))}`;
}

/** The key in a PEM; forms and files often have its line ends as `\n` in letters. */
async function privateKey(pem: string): Promise<CryptoKey | null> {
  const body = /-----BEGIN PRIVATE KEY-----([\s\S]+)-----END PRIVATE KEY-----/.exec(
    pem.replaceAll("\\n", "\n"),
  );
  try {
    const der = Uint8Array.from(atob((body?.[1] ?? "").replace(/\s/g, "")), (it) => it.charCodeAt(0));
    if (der.length > LONGEST_KEY_BYTES) return null;
    return await crypto.subtle.importKey("pkcs8", der, ALGORITHM, false, ["sign"]);
  } catch {
    // The error may quote the key.
    return null;
  }
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

function base64url(data: Uint8Array): string {
  const text = btoa(String.fromCharCode(...data));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
