// Generators of types offer the functions and views of schema hftok that the contract has, and nothing that they are made of.
// The generator is that of @supabase/postgres-meta, which is a wrapper of this package with a server around it.
import assert from "node:assert/strict";
import { generateTypescript, introspect, sortGeneratorMetadata } from "@supabase/postgrest-typegen";
import { credentials, integrations, operation, vault, views } from "./lib/contract.ts";
import { query } from "./lib/server.ts";

const found = await introspect(
  { query: async (text) => ({ rows: await query(`${text.trim().replace(/;$/, "")}\n`) }) },
  { includedSchemas: ["hftok"], excludedSchemas: [] },
);
const generated = await generateTypescript(sortGeneratorMetadata(found));

/** The members of a part of schema hftok in the text, such as its views. */
function offered(part: string): string[] {
  const [, after] = generated.split(`\n    ${part}: {\n`);
  assert(after, `the types have no ${part}`);
  const [text] = after.split("\n    }\n");
  return [...text!.matchAll(/^ {6}(\w+):/gm)].map(([, name]) => name!).sort();
}

/** One that is not there yet, and procedures, which no client calls. */
const later = ["public_key"];
const procedures = [
  "import_column",
  "blank_column",
  "import_integrations",
  "import_members",
  "import_administrators",
];
/** Functions of triggers, which generators of types leave out. */
const triggers = ["follow_members", "follow_administrators", "forget_user_row"];

function promised(...sections: Record<string, unknown>[]): string[] {
  const names = sections.flatMap((section) => Object.keys(section));
  return names.filter((name) => !later.includes(name) && ![...procedures, ...triggers].includes(name)).sort();
}

Deno.test("a generator of types offers the functions of the contract, and no others", () => {
  assert.deepEqual(offered("Functions"), promised(vault, credentials, integrations, operation));
});

Deno.test("a generator of types offers the views of the contract, and no table", () => {
  assert.deepEqual(offered("Views"), promised(views));
  assert.deepEqual(offered("Tables"), []);
  assert.doesNotMatch(generated, /hftok_(import|private)/);
});

Deno.test("arguments and answers have types that a program can use", () => {
  const functions = generated.split("\n    Functions: {\n")[1]!.split("\n    }\n")[0]!;
  assert.match(functions, /save_hf_token: \{\s+Args: \{[^}]*p_token: string/);
  assert.match(functions, /whoami: \{ Args: (never|Record<PropertyKey, never>); Returns: string \}/);
  // Only names of tables and roles have no type of JSON there.
  const unknown = [...functions.matchAll(/(\w+)\??: unknown/g)].map(([, name]) => name);
  assert.deepEqual([...new Set(unknown)].sort(), [
    "p_login_role",
    "p_role",
    "p_schema",
    "p_service_role",
    "p_user_role",
  ]);
});
