// A text field that proposes some texts, and takes any other.
import { Button as AriaButton, ComboBox, Input, ListBox, ListBoxItem, Popover } from "react-aria-components";
import { ChevronDown } from "lucide-react";
import { FieldLabel } from "../primitives/fields.tsx";
import { TextField, useFrame } from "../primitives/index.ts";

/** The props of the field. */
export interface SuggestionFieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** None: it is a text field. */
  choices: readonly string[];
}

/** A field with suggestions. */
export function SuggestionField({ label, value, onChange, choices }: SuggestionFieldProps) {
  const frame = useFrame();
  if (choices.length === 0) {
    return <TextField label={label} value={value} onChange={onChange} isRequired isCode autoComplete="off" />;
  }
  return (
    <ComboBox
      className="hftok-field"
      inputValue={value}
      onInputChange={onChange}
      allowsCustomValue
      // All of them, whatever stands in the field: there are few.
      defaultFilter={() => true}
      menuTrigger="focus"
    >
      <FieldLabel>{label}</FieldLabel>
      <div className="hftok-secret">
        <Input className="hftok-input hftok-code" />
        <AriaButton className="hftok-icon-button">
          <ChevronDown aria-hidden className="hftok-icon" />
        </AriaButton>
      </div>
      <Popover {...frame} className="hftok hftok-popover">
        <ListBox className="hftok-list" items={choices.map((id) => ({ id }))}>
          {({ id }) => (
            <ListBoxItem id={id} textValue={id} className="hftok-item hftok-code">
              {id}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </ComboBox>
  );
}
