// The application's own encryption: the one part of the example that an application has to make its own.
//
// Here a value is `<iv>:<tag>:<ciphertext>`, each in hex, by AES-256-GCM with a 12-byte iv, as Node's createCipheriv gives them;
// the key is 32 bytes, in hex or base64.
//
// Must stay true: what does not open is null, and no error says anything of key or value.

/** The application's key from a text. */
export async function importKey(text: string): Promise<CryptoKey> {
  const bytes = /^[0-9a-f]{64}$/i.test(text) ? fromHex(text) : fromBase64(text);
  if (bytes?.length !== 32) throw new Error("the key must be 32 bytes, in hex or base64");
  return await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["decrypt"]);
}

/** The value in a text of the application; null when it does not open. */
export async function openValue(key: CryptoKey, text: string): Promise<string | null> {
  const [iv, tag, ciphertext, ...more] = text.split(":").map(fromHex);
  if (!iv || !tag || !ciphertext || more.length > 0 || iv.length !== 12 || tag.length !== 16) return null;
  const sealed = new Uint8Array([...ciphertext, ...tag]);
  try {
    const opened = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed);
    return new TextDecoder("utf-8", { fatal: true }).decode(opened);
  } catch {
    return null;
  }
}

function fromHex(text: string): Uint8Array<ArrayBuffer> | null {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return null;
  return Uint8Array.from(
    { length: text.length / 2 },
    (_, at) => parseInt(text.slice(2 * at, 2 * at + 2), 16),
  );
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}
