// The settings of an integration as rows of a form. They lie in the open, and the form says so.
import { Plus, X } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { Banner, Button, IconButton, TextField } from "../primitives/index.ts";
import { looksSecret, type Setting } from "./settings.ts";
import { SuggestionField } from "./suggestion_field.tsx";
import type { Preset } from "./templates.ts";

/** A row, with a key of its own that stays while its name is typed. */
export interface SettingRow extends Setting {
  key: number;
}

/** The props of the rows. */
export interface SettingRowsProps {
  rows: SettingRow[];
  /** What the template knows: values to choose from. */
  presets: readonly Preset[];
  onChange: (rows: SettingRow[]) => void;
}

/** Settings with keys, to begin with. */
export function rowsOf(settings: readonly Setting[]): SettingRow[] {
  return settings.map((setting, key) => ({ ...setting, key }));
}

/** Edits settings. */
export function SettingRows({ rows, presets, onChange }: SettingRowsProps) {
  const { integrations: words } = useMessages();
  const change = (key: number, part: Partial<Setting>) =>
    onChange(rows.map((row) => row.key === key ? { ...row, ...part } : row));
  const add = () =>
    onChange([...rows, { key: Math.max(-1, ...rows.map(({ key }) => key)) + 1, name: "", value: "" }]);
  return (
    <div className="hftok-presets">
      {rows.map(({ key, name, value }) => (
        <div key={key} className="hftok-preset" role="group" aria-label={name || words.settingName}>
          <TextField
            label={words.settingName}
            value={name}
            onChange={(name) =>
              change(key, { name })}
            isRequired
            isCode
            maxLength={100}
            autoComplete="off"
          />
          <SuggestionField
            label={words.settingValue}
            value={value}
            onChange={(value) =>
              change(key, { value })}
            choices={presets.find((preset) =>
              preset.name === name
            )?.choices ?? []}
          />
          <IconButton
            label={words.removeSetting(name || words.settingName)}
            icon={X}
            onPress={() => onChange(rows.filter((row) => row.key !== key))}
          />
        </div>
      ))}
      {rows.some(({ name }) => looksSecret(name)) && (
        <Banner tone="warning" title={words.looksSecret} announce="polite" />
      )}
      <div>
        <Button size="small" variant="quiet" icon={Plus} onPress={add}>{words.addSetting}</Button>
      </div>
    </div>
  );
}
