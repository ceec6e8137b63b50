// The types of schema hftok as it is installed in the database that PGHOST and its kind name: the files of client/schema.
// `tests/edge/run.sh --types` writes them from a database of its own; by hand it is
// `deno run --allow-run=psql --allow-env --allow-write=edge/client edge/generate_types.ts`.
//
// Must stay true:
// - The same schema gives the same text on every machine and every supported Postgres, so that a test can compare it.
// - The shape is the one that supabase-js and postgrest-js take as `Database`.

/** The folder of the generated files. */
export const FOLDER = new URL("./client/schema/", import.meta.url);

interface Parameter {
  name: string;
  type: string;
  optional: boolean;
  nullable: boolean;
}

interface Column {
  name: string;
  type: string;
  /** Whether users or the backend may write it. */
  insert?: boolean;
  update?: boolean;
}

interface Routine {
  name: string;
  comment: string | null;
  type: string;
  many: boolean;
  parameters: Parameter[];
  columns: Column[] | null;
}

interface Relation {
  name: string;
  kind: "v" | "c";
  comment: string | null;
  columns: Column[];
}

const ROUTINES = `
  SELECT p.proname AS name, obj_description(p.oid, 'pg_proc') AS comment, format_type(p.prorettype, NULL) AS type,
    p.proretset AS many, coalesce((
      SELECT json_agg(json_build_object(
        'name', p.proargnames[at],
        'type', format_type(p.proargtypes[at - 1], NULL),
        'optional', at > p.pronargs - p.pronargdefaults,
        'nullable', coalesce(pg_get_function_arg_default(p.oid, at) LIKE 'NULL::%', false)) ORDER BY at)
      FROM generate_series(1, p.pronargs) at), '[]') AS parameters, (
      SELECT json_agg(json_build_object('name', p.proargnames[at], 'type', format_type(p.proallargtypes[at], NULL)) ORDER BY at)
      FROM generate_subscripts(p.proallargtypes, 1) at WHERE p.proargmodes[at] IN ('t', 'o')) AS columns
  FROM pg_proc p WHERE p.pronamespace = 'hftok'::regnamespace AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
  ORDER BY p.proname COLLATE "C"`;

const RELATIONS = `
  SELECT c.relname AS name, c.relkind AS kind,
    coalesce(obj_description(c.oid, 'pg_class'), obj_description(c.reltype, 'pg_type')) AS comment,
    json_agg(json_build_object(
      'name', a.attname,
      'type', format_type(a.atttypid, NULL),
      'insert', c.relkind = 'v' AND (has_column_privilege('hftok_user', c.oid, a.attnum, 'INSERT')
        OR has_column_privilege('hftok_service', c.oid, a.attnum, 'INSERT')),
      'update', c.relkind = 'v' AND (has_column_privilege('hftok_user', c.oid, a.attnum, 'UPDATE')
        OR has_column_privilege('hftok_service', c.oid, a.attnum, 'UPDATE'))) ORDER BY a.attnum) AS columns
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.relnamespace = 'hftok'::regnamespace AND c.relkind IN ('v', 'c')
  GROUP BY c.oid ORDER BY c.relname COLLATE "C"`;

/** The type in JSON for each type of Postgres. */
const SCALARS: Record<string, string> = {
  text: "string",
  name: "string",
  uuid: "string",
  bytea: "string",
  date: "string",
  interval: "string",
  inet: "string",
  regclass: "string",
  "timestamp with time zone": "string",
  smallint: "number",
  integer: "number",
  bigint: "number",
  numeric: "number",
  "double precision": "number",
  boolean: "boolean",
  json: "Json",
  jsonb: "Json",
  void: "undefined",
};

async function query<Row>(text: string): Promise<Row[]> {
  const asked = `SET search_path = pg_catalog; SELECT coalesce(json_agg(q), '[]') FROM (${text}) q`;
  const { success, stdout, stderr } = await new Deno.Command("psql", {
    args: ["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", asked],
    stdin: "null",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** The names of the views: a function that gives rows of one names it as its type. */
const views = new Set<string>();

function typed(type: string): string {
  if (type.endsWith("[]")) return `${typed(type.slice(0, -2))}[]`;
  const own = type.match(/^hftok\.(\w+)$/)?.[1];
  if (own && views.has(own)) return `Views["${own}"]["Row"]`;
  if (own) return `CompositeTypes["${own}"]`;
  const scalar = SCALARS[type];
  if (!scalar) throw new Error(`generate_types.ts does not know the type ${type}`);
  return scalar;
}

function doc(comment: string | null, indent: string): string {
  return comment ? `${indent}/** ${comment.replaceAll("*/", "* /")} */\n` : "";
}

/** A member a line. Views and composite types do not say what cannot be null, so everything can. */
function members(columns: Column[], indent: string): string {
  return columns.map(({ name, type }) => `${indent}${name}: ${typed(type)} | null;\n`).join("");
}

/** The members of an object in one line. */
function line(parts: string[]): string {
  return parts.length === 0 ? "Record<PropertyKey, never>" : `{ ${parts.join("; ")} }`;
}

function routine({ name, comment, type, many, parameters, columns }: Routine): string {
  const args = parameters.map((parameter) =>
    `${parameter.name}${parameter.optional ? "?" : ""}: ${typed(parameter.type)}${
      parameter.nullable ? " | null" : ""
    }`
  );
  const returned = columns ? line(columns.map((it) => `${it.name}: ${typed(it.type)} | null`)) : typed(type);
  return doc(comment, "  ") +
    `  ${name}: {\n    Args: ${line(args)};\n    Returns: ${returned}${many ? "[]" : ""};\n  };\n`;
}

function view({ name, comment, columns }: Relation): string {
  const written = (may: "insert" | "update") =>
    line(columns.filter((it) => it[may]).map((it) => `${it.name}?: ${typed(it.type)} | null`));
  const writable = columns.some((it) => it.insert || it.update);
  return doc(comment, "  ") + `  ${name}: {\n    Row: {\n${members(columns, "      ")}    };\n` +
    (writable ? `    Insert: ${written("insert")};\n    Update: ${written("update")};\n` : "") +
    `    Relationships: [];\n  };\n`;
}

function composite({ name, comment, columns }: Relation): string {
  return doc(comment, "  ") + `  ${name}: {\n${members(columns, "    ")}  };\n`;
}

function file(about: string, text: string): string {
  return `// ${about} Generated by generate_types.ts: not for editing.\n// deno-fmt-ignore-file\n\n${text}`;
}

/** Each file's name and text. */
export async function generate(): Promise<Record<string, string>> {
  const routines = await query<Routine>(ROUTINES);
  const relations = await query<Relation>(RELATIONS);
  const of = (kind: Relation["kind"]) => relations.filter((it) => it.kind === kind);
  of("v").forEach(({ name }) => views.add(name));
  return {
    "views.ts": file(
      "The views of schema hftok.",
      `import type { Json } from "./database.ts";

/** The views that a client can read. */
export type Views = {
${of("v").map(view).join("")}};
`,
    ),
    "functions.ts": file(
      "The functions of schema hftok.",
      `import type { CompositeTypes, Json } from "./database.ts";
import type { Views } from "./views.ts";

/** The functions that a client can call. */
export type Functions = {
${routines.map(routine).join("")}};
`,
    ),
    "database.ts": file(
      "The types of schema hftok, as supabase-js and postgrest-js take them.",
      `import type { Functions } from "./functions.ts";
import type { Views } from "./views.ts";

/** A value that JSON can hold. */
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

/** The composite types that functions answer with, by name. */
export type CompositeTypes = {
${of("c").map(composite).join("")}};

/** The schema, as \`createClient<Database, "hftok">\` takes it. */
export type Database = {
  hftok: {
    Tables: Record<never, never>;
    Views: Views;
    Functions: Functions;
    Enums: Record<never, never>;
    CompositeTypes: CompositeTypes;
  };
};
`,
    ),
  };
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(await generate())) {
    await Deno.writeTextFile(new URL(name, FOLDER), text);
  }
}
