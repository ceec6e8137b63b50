// A provider that speaks the OpenAI protocol, as the catalogue describes it.
//
// Must stay true: the address of a request is the catalogue's base with fields of the credential in it, and a path of the protocol; the
// value goes into one header and nowhere else.
import { type JsonObject, object, parsed } from "../_shared/client/json.ts";
import type { Hftok, Json, Views } from "../_shared/client/mod.ts";
import { Destination } from "../_shared/destination.ts";
import { Refusal, refusing } from "../_shared/refusal.ts";

/** A provider that speaks the protocol. */
export interface Speaker {
  name: string;
  /** The name for people. */
  label: string;
  /** Its base address; `{name}` stands for a field. */
  base: string;
  /** The hosts that its keys may be sent to from here. */
  hosts: string[];
  /** The field that is the key, and whether the credential has others. */
  field: string;
  hasSeveralFields: boolean;
  /** The header that the key goes into, and what stands before it there. */
  header: string;
  prefix: string;
  /** Statuses to which the catalogue's test knows a verdict, each perhaps with a condition behind it. */
  answers: { [said: string]: Json | undefined };
}

/** The address and the key that are in a credential. */
export interface Opened {
  to: Destination;
  key: string;
}

/** Azure's header for a key. All others have the protocol's own. */
const AZURE = "api-key";
const PLACEHOLDER = /\{(\w+)\}/g;
/** As huggingface_hub has it: an owner and a name. */
const REPOSITORY = /^[\w-][\w.-]*\/[\w-][\w.-]*$/;

/** The provider of this name, if it speaks the protocol. */
export async function speakerOf(hftok: Hftok, name: string): Promise<Speaker> {
  const asked = hftok.rows("providers", { name: `eq.${name}`, select: "label,fields,hosts,test,openai" });
  const [row] = await refusing("service", asked);
  const key = row && fieldsOf(row).find((field) => field.secret === true)?.name;
  if (!row?.openai || typeof key !== "string") {
    throw new Refusal(404, "no_provider", "No provider of this name speaks the OpenAI protocol here.");
  }
  const test = object(row.test);
  const isAzure = Object.keys(object(test.headers)).some((header) => header.toLowerCase() === AZURE);
  return {
    name,
    label: row.label ?? name,
    base: row.openai,
    hosts: row.hosts ?? [],
    field: key,
    hasSeveralFields: fieldsOf(row).length > 1,
    header: isAzure ? AZURE : "Authorization",
    prefix: isAzure ? "" : "Bearer ",
    answers: object(test.answers),
  };
}

/** Whether only the credential says where its requests go. */
export function isElsewhere({ base }: Speaker): boolean {
  return base.startsWith("{");
}

/** What is needed of a credential for a path. */
export function open(speaker: Speaker, credential: string, path: string): Opened {
  const values = valuesOf(speaker, credential);
  const key = values[speaker.field];
  const filled = speaker.base.replace(PLACEHOLDER, (all, name: string, at: number) => {
    const value = values[name];
    if (typeof value !== "string") return all;
    // In front it is an address, further on a part of a path, which dots would make another one.
    if (at === 0) return value.trim().replace(/\/+$/, "");
    if (/^\.{1,2}$/.test(value)) throw unfit(speaker);
    return encodeURIComponent(value);
  });
  // A value that could end the header, or that fetch() would not send as it is.
  if (typeof key !== "string" || !/^[\x21-\x7e]+$/.test(key)) throw unfit(speaker);
  return { to: destination(speaker, filled, path), key };
}

/** The address of a path. Before a credential is open its fields are still to be filled in. */
export function destination(speaker: Speaker, base: string, path: string): Destination {
  try {
    const { url } = Destination.of(base);
    if (url.search === "") return Destination.of(`${url.href.replace(/\/+$/, "")}/${path}`);
  } catch {
    // Said below.
  }
  throw unfit(speaker);
}

/** Whether an answer of this status may be about the key: 401, or one by which the catalogue's test knows a bad one. */
export function mayRefuseKey({ answers }: Speaker, status: number): boolean {
  const said = Object.entries(answers).some(([condition, verdict]) =>
    verdict === "invalid" && condition.split(" ")[0] === String(status)
  );
  return status === 401 || said;
}

/** The page where the conditions of a model are accepted. */
export function pageOf({ name }: Speaker, model: string | undefined): string | null {
  const repository = model?.replace(/:[\w-]{1,64}$/, "") ?? "";
  return name === "huggingface" && REPOSITORY.test(repository)
    ? `https://huggingface.co/${repository}`
    : null;
}

function unfit({ label }: Speaker): Refusal {
  return new Refusal(422, "unfit", `The address in this credential of ${label}, or its key, cannot be used.`);
}

function valuesOf(
  { field, hasSeveralFields }: Speaker,
  credential: string,
): JsonObject {
  return hasSeveralFields ? object(parsed(credential)) : { [field]: credential };
}

function fieldsOf(
  { fields }: Pick<Views["providers"]["Row"], "fields">,
): JsonObject[] {
  return (Array.isArray(fields) ? fields : []).map(object);
}
