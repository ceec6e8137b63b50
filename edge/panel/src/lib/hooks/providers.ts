// The catalogue: what each provider's credentials consist of, and where to get them.
import { isObject } from "../../../../client/json.ts";
import type { Json } from "../../../../client/mod.ts";
import { type Reading, useRead } from "../connection/reads.ts";

/** A field of a provider's credentials. */
export interface ProviderField {
  name: string;
  label: string;
  isSecret: boolean;
  isOptional: boolean;
  /** The only texts that it may be; of one there is no choice. */
  choices: string[];
}

/** A provider of the catalogue that is switched on. */
export interface CatalogueProvider {
  name: string;
  label: string;
  docsUrl: string | null;
  fields: ProviderField[];
  /** Whether the catalogue has a request that tests its credentials. */
  isTestable: boolean;
  /** Where its credentials may be sent; `*` stands for labels. */
  hosts: string[];
  /** Whether the file that the provider hands out is a credential as it is. */
  takesDocument: boolean;
  /** What its keys begin with. */
  prefixes: string[];
}

/** Reads the providers that are switched on, by their labels. */
export function useProviders(): Reading<CatalogueProvider[]> {
  return useRead(["providers"], async (vault, signal) => {
    const hftok = await vault.hftok();
    const rows = await hftok.rows("providers", { enabled: "is.true", order: "label" }, signal);
    // Of one that hftok cannot vouch for there is only the name: nothing can be entered for it.
    return rows.flatMap(({ name, label, docs_url, fields, test, formats, hosts, environment }) =>
      name === null || !Array.isArray(fields) ? [] : [{
        name,
        label: label ?? name,
        // Administrators register providers too: nothing but a page is a link.
        docsUrl: docs_url?.startsWith("https://") ? docs_url : null,
        fields: fields.map(field),
        isTestable: test !== null,
        hosts: hosts ?? [],
        takesDocument: isObject(environment) && "document" in environment,
        prefixes: prefixes(formats),
      }]
    );
  });
}

function field(of: Json): ProviderField {
  const given = isObject(of) ? of : {};
  const name = String(given.name ?? "");
  return {
    name,
    label: String(given.label ?? name),
    isSecret: given.secret !== false,
    isOptional: given.optional === true,
    choices: Array.isArray(given.equals) ? given.equals.map(String) : [],
  };
}

function prefixes(formats: Json): string[] {
  if (!Array.isArray(formats)) return [];
  return formats.flatMap((it) =>
    isObject(it) && typeof it.prefix === "string" && it.prefix !== "" ? [it.prefix] : []
  );
}
