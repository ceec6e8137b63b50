// Reading what comes over the net, within limits.
//
// Must stay true: no more than the limit is ever held, whatever a header says of the length; what cannot be read is not
// quoted.
import { joined } from "./bytes.ts";
import { isObject } from "./client/json.ts";
import type { Json } from "./client/mod.ts";
import { Refusal } from "./refusal.ts";

/** The time that a client may take to send its request. */
const DEADLINE_MS = 30_000;

/** The type that a member of a request must have. */
export type Shape = keyof Shapes;

/** The shapes, and the types of their values. */
interface Shapes {
  "text": string;
  "boolean": boolean;
  "whole number": number;
  "list of texts": string[];
  "object": Record<string, Json | undefined>;
  "text or an object": string | Record<string, unknown>;
}

/** Members of these shapes, of which each may be missing. */
export type Members<Known extends Record<string, Shape>> = { [Name in keyof Known]?: Shapes[Known[Name]] };

/** The bytes of a stream; null when there are more than `limit`. */
export async function readUpTo(
  limit: number,
  stream: ReadableStream<Uint8Array> | null,
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (!stream) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    // Leaving the loop cancels the stream.
    if (length > limit) return null;
    chunks.push(chunk);
  }
  return joined(chunks);
}

/** The bytes that a request brings. */
export async function readBytes(request: Request, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLong = new Refusal(413, "too_large", `A request may have ${limit} bytes.`);
  if (Number(request.headers.get("Content-Length") ?? 0) > limit) throw tooLong;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Refusal(408, "timeout", "The request did not arrive in time.")),
      DEADLINE_MS,
    );
  });
  try {
    const bytes = await Promise.race([readUpTo(limit, request.body), late]);
    if (!bytes) throw tooLong;
    return bytes;
  } finally {
    clearTimeout(timer);
  }
}

/** The JSON object that a request brings; none is an empty one. */
export async function readObject(request: Request, limit: number): Promise<Record<string, unknown>> {
  const bytes = await readBytes(request, limit);
  const parsed = bytes.length === 0 ? {} : parse(bytes);
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new Refusal(400, "bad_input", "The request must be a JSON object.");
  }
  return parsed as Record<string, unknown>;
}

/** The members of an object that are known by their shapes; null counts as not there. Others are refused. */
export function members<Known extends Record<string, Shape>>(
  object: Record<string, unknown>,
  shapes: Known,
): Members<Known> {
  const names = Object.keys(shapes);
  if (Object.keys(object).some((name) => !names.includes(name))) {
    throw new Refusal(400, "bad_input", `The members of a request are: ${names.join(", ")}.`);
  }
  const there = Object.entries(shapes).filter(([name]) => (object[name] ?? null) !== null);
  const wrong = there.find(([name, shape]) => !is(shape, object[name]));
  if (wrong) {
    throw new Refusal(
      400,
      "bad_input",
      `${wrong[0]} must be ${wrong[1] === "object" ? "an" : "a"} ${wrong[1]}.`,
    );
  }
  return Object.fromEntries(there.map(([name]) => [name, object[name]])) as Members<Known>;
}

function is(shape: Shape, value: unknown): boolean {
  if (shape === "text") return typeof value === "string";
  if (shape === "boolean") return typeof value === "boolean";
  if (shape === "whole number") return Number.isSafeInteger(value);
  if (shape === "object") return isObject(value);
  if (shape === "text or an object") return typeof value === "string" || isObject(value);
  return Array.isArray(value) && value.every((it) => typeof it === "string");
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Refusal(400, "bad_input", "The request is not JSON.");
  }
}
