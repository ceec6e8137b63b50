// A few choices side by side, of which one holds: a period, a measure, a kind.
import { ToggleButton, ToggleButtonGroup } from "react-aria-components";
import type { Choice } from "./fields.tsx";

/** The props of segments. */
export interface SegmentsProps<Id extends string> {
  /** What is chosen, for who cannot see it. */
  label: string;
  choices: readonly Choice<Id>[];
  value: Id;
  onChange: (id: Id) => void;
}

/** One of a few. */
export function Segments<Id extends string>({ label, choices, value, onChange }: SegmentsProps<Id>) {
  return (
    <ToggleButtonGroup
      aria-label={label}
      className="hftok-segments"
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[value]}
      onSelectionChange={(keys) => {
        const chosen = choices.find(({ id }) => keys.has(id));
        if (chosen) onChange(chosen.id);
      }}
    >
      {choices.map(({ id, label }) => (
        <ToggleButton key={id} id={id} className="hftok-segment">{label}</ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}
