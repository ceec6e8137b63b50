// The first step to a new integration: what to connect to, by groups, with a search.
import { useState } from "react";
import { Button as AriaButton } from "react-aria-components";
import { useMessages } from "../connection/provider.tsx";
import type { CatalogueProvider } from "../hooks/providers.ts";
import { TextField } from "../primitives/index.ts";
import { ProviderMark } from "./provider_mark.tsx";
import { type Group, hasWords, type Template, templatesFor } from "./templates.ts";

const GROUPS: readonly Group[] = ["models", "clouds", "tools"];

/** The props of the picker. */
export interface TypePickerProps {
  catalogue: CatalogueProvider[];
  onPick: (template: Template) => void;
}

/** A list of templates, each a button. */
export function TypePicker({ catalogue, onPick }: TypePickerProps) {
  const { integrations: words } = useMessages();
  const [sought, seek] = useState("");
  const labels = new Map(catalogue.map(({ name, label }) => [name, label]));
  const entries = templatesFor(catalogue.map(({ name }) => name)).map((template) => ({
    template,
    label: labels.get(template.type) ?? template.type,
    about: hasWords(template.id) ? words.templates[template.id] : "",
  }));
  const needle = sought.trim().toLowerCase();
  const found = entries.filter(({ template, label, about }) =>
    [template.type, label, about].some((text) => text.toLowerCase().includes(needle))
  );
  return (
    <div className="hftok-types">
      <TextField
        label={words.search}
        value={sought}
        onChange={seek}
        type="search"
        autoFocus
        autoComplete="off"
      />
      <p className="hftok-hidden" role="status">
        {found.length === 0 ? words.noMatch : words.matches(found.length)}
      </p>
      {found.length === 0 && <p className="hftok-muted" aria-hidden>{words.noMatch}</p>}
      {GROUPS.map((group) => {
        const members = found.filter(({ template }) => template.group === group);
        return members.length > 0 && (
          <section key={group} aria-label={words.groups[group]}>
            <h3>{words.groups[group]}</h3>
            <ul className="hftok-type-list">
              {members.map(({ template, label, about }) => (
                <li key={template.id}>
                  <AriaButton className="hftok-type" onPress={() => onPick(template)}>
                    <ProviderMark label={label} />
                    <span className="hftok-type-text">
                      <span className="hftok-type-name">{label}</span>
                      {about && <span className="hftok-faint">{about}</span>}
                    </span>
                  </AriaButton>
                </li>
              ))}
            </ul>
          </section>
        );
      })}
    </div>
  );
}
