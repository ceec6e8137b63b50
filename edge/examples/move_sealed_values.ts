// Moves keys that an application encrypted itself, which SQL cannot open, out of the application's table into hftok.
//
//   export HFTOK_REST_URL=… HFTOK_SERVICE_KEY=… APP_ENCRYPTION_KEY=…      (with Supabase its secret key, or a JWT and SUPABASE_PUBLISHABLE_KEY)
//   deno run --allow-env --allow-net edge/examples/move_sealed_values.ts --table user_keys            looks, and changes nothing
//   deno run --allow-env --allow-net edge/examples/move_sealed_values.ts --table user_keys --apply    moves
//
// The table is read through PostgREST, by a role that may read it: columns --key (unique), --owner, --provider and --value, or
// one provider for all rows by --provider-name. With --model each row is for the model that this column names; with --org the owner is
// the organisation that this column names, and --owner is only read where it is given too: a row then has one of them.
// A fault of a row is printed with the row's key. The source stays as it is.
//
// Must stay true:
// - No value, and nothing that quotes one, is printed; keys come from the environment, never from the command line.
// - It can be killed at any time and run again: what is in hftok already is found there, and never written twice or
//   replaced, for its owner may have saved a newer one since.
import { Hftok, HftokError, type Row } from "../client/mod.ts";
import { importKey, openValue } from "./sealed_value.ts";
import { type Source, type SourceRow, SourceRows, SourceUnreadable } from "./source_rows.ts";

/** A row that was opened. */
interface Opened {
  key: string;
  row: Row;
}

const counts = { read: 0, moved: 0, already: 0, left: 0 };

/** The options of the command line, with their defaults. */
const flags = {
  table: "",
  schema: "public",
  key: "id",
  owner: "",
  org: "",
  model: "",
  provider: "provider",
  "provider-name": "",
  value: "encrypted_key",
  batch: "100",
};
const isApplied = command(Deno.args, flags);
const source: Source = {
  ...flags,
  owner: flags.owner === "" && flags.org === "" ? "user_id" : flags.owner,
  provider: flags["provider-name"] === "" ? { column: flags.provider } : { name: flags["provider-name"] },
  batch: Number(flags.batch),
};
if (source.table === "") exit("--table must be given");
if (!Number.isInteger(source.batch) || source.batch < 1) exit("--batch must be a number above 0");
const connection = {
  url: variable("HFTOK_REST_URL"),
  token: variable("HFTOK_SERVICE_KEY"),
  apikey: Deno.env.get("SUPABASE_PUBLISHABLE_KEY") ?? Deno.env.get("SUPABASE_ANON_KEY"),
  timeoutMs: 60_000,
};
const hftok = new Hftok(connection);
const appKey = await importKey(variable("APP_ENCRYPTION_KEY")).catch((error: Error) => exit(error.message));
/** The first row that was found for an owner, a provider and a model, in case there is another. */
const first = new Map<string, string>();

try {
  for await (const rows of new SourceRows(source, connection)) {
    counts.read += rows.length;
    await move(await notThere(await opened(rows)));
  }
} catch (error) {
  // These two hold no value; of anything else only the name is known to be harmless.
  const isOurs = error instanceof HftokError || error instanceof SourceUnreadable;
  const reason = isOurs ? error.message : error instanceof Error ? error.constructor.name : "";
  exit(`stopped after ${counts.read} rows: ${reason} Run it again to go on.`);
}
const done = isApplied ? "moved" : "to be moved (this was a dry run: --apply moves them)";
console.log(
  `${counts.read} read, ${counts.moved} ${done}, ${counts.already} already there, ${counts.left} left`,
);
Deno.exit(counts.left === 0 ? 0 : 1);

async function opened(rows: SourceRow[]): Promise<Opened[]> {
  const all: Opened[] = [];
  for (const { key, owner, org, model, provider, value } of rows) {
    const secret = value ? await openValue(appKey, value) : null;
    const row: Row = { provider, secret: secret ?? "", expected_version: 0 };
    if (org) row.org_id = org;
    else row.user_id = owner;
    if (model) row.model = model;

    const same = first.get(address(row));
    if ((!owner && !org) || !provider) leave(key, "it has no owner or no provider");
    else if (owner && org) leave(key, "it has a user and an organisation");
    else if (!value) leave(key, "it is blank");
    else if (source.model !== "" && model.trim() === "") leave(key, "it names no model");
    else if (secret === null) leave(key, "it does not open with APP_ENCRYPTION_KEY");
    else if (same !== undefined) leave(key, `row ${same} has the same owner, provider and model`);
    else {
      first.set(address(row), key);
      all.push({ key, row });
    }
  }
  return all;
}

/** The values that hftok does not have yet: the script needs no other memory of former runs. */
async function notThere(all: Opened[]): Promise<Opened[]> {
  if (all.length === 0) return [];
  const owners = [...new Set(all.map(({ row }) => canonical(row.org_id ?? row.user_id ?? "")))];
  const quoted = owners.map((owner) => `"${owner.replace(/["\\]/g, "\\$&")}"`).join(",");
  const there = new Set(
    (await hftok.rows("credentials", {
      scope: "in.(user,org)",
      slot: "eq.",
      scope_id: `in.(${quoted})`,
      select: "scope,scope_id,provider,model",
    })).map((it) => JSON.stringify([it.scope, it.scope_id, it.provider, it.model ?? ""])),
  );
  const left = all.filter(({ row }) => !there.has(address(row)));
  counts.already += all.length - left.length;
  return left;
}

/** Owner, provider and model, as hftok has them. */
function address({ org_id, user_id, provider, model }: Row): string {
  const owner = org_id ? ["org", canonical(org_id)] : ["user", canonical(user_id ?? "")];
  return JSON.stringify([...owner, provider, model ?? ""]);
}

async function move(all: Opened[]): Promise<void> {
  if (!isApplied) {
    await Promise.all(all.map(look));
    return;
  }
  if (all.length === 0) return;
  try {
    await hftok.saveMany(all.map(({ row }) => row));
    counts.moved += all.length;
  } catch (error) {
    const one = error instanceof HftokError && ["bad_input", "conflict", "too_large"].includes(error.kind);
    if (!one) throw error;
    // All or nothing, and one of them is wrong: alone it can be named.
    if (all.length > 1) { for (const it of all) await move([it]); }
    else if (error.kind === "conflict") counts.already++;
    else leave(all[0]?.key ?? "", error.message);
  }
}

async function look({ key, row }: Opened): Promise<void> {
  try {
    const { ok, warnings } = await hftok.check(row.provider, row.secret);
    if (ok) counts.moved++;
    else leave(key, (warnings ?? []).join("; "));
  } catch (error) {
    if (!(error instanceof HftokError) || error.kind !== "bad_input") throw error;
    leave(key, error.message);
  }
}

function leave(key: string, why: string): void {
  counts.left++;
  console.log(`row ${key}: ${why}`);
}

/** Reads the command line into the flags, and says whether the rows are to be moved. */
function command(args: string[], into: Record<string, string>): boolean {
  let apply = false;
  for (let at = 0; at < args.length; at++) {
    const name = args[at]?.replace(/^--/, "") ?? "";
    if (args[at] === "--apply") apply = true;
    else if (args[at]?.startsWith("--") && name in into && at + 1 < args.length) {
      into[name] = args[++at] ?? "";
    } else exit(`the flags are --apply and ${Object.keys(into).map((it) => `--${it} …`).join(", ")}`);
  }
  return apply;
}

/** As hftok stores it: a UUID in lower case. */
function canonical(id: string): string {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id) ? id.toLowerCase() : id;
}

function variable(name: string): string {
  return Deno.env.get(name)?.trim() || exit(`${name} must be set`);
}

function exit(why: string): never {
  console.error(why);
  Deno.exit(2);
}
