// JSON that came from elsewhere.
//
// Must stay true: nothing is passed on of what the parser says of a text that is no JSON, because it quotes the text.
import type { Json } from "./schema/database.ts";

/** An object of JSON. */
export type JsonObject = { [name: string]: Json | undefined };

/** The value of a text; undefined when it is no JSON. */
export function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a value is an object, and no list. */
export function isObject(it: unknown): it is JsonObject {
  return typeof it === "object" && it !== null && !Array.isArray(it);
}

/** The object that a value is; an empty one where it is none. */
export function object(it: unknown): JsonObject {
  return isObject(it) ? it : {};
}
