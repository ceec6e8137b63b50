// Fields for what is no secret: texts, choices, switches.
import type { ReactNode } from "react";
import {
  Button as AriaButton,
  FieldError,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  Select as AriaSelect,
  SelectValue,
  Switch as AriaSwitch,
  Text,
  TextArea,
  TextField as AriaTextField,
  type TextFieldProps as AriaTextFieldProps,
} from "react-aria-components";
import { Check, ChevronDown, Search } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { useFrame } from "./frame.tsx";

/** The props of a text field. */
export interface TextFieldProps extends Omit<AriaTextFieldProps, "className" | "style" | "children"> {
  /** Without one there must be `aria-label`. */
  label?: string;
  description?: string;
  /** What is wrong with it; it is then marked as wrong. */
  error?: string;
  placeholder?: string;
  /** Several lines. */
  isMultiline?: boolean;
  /** In the script of code. */
  isCode?: boolean;
}

/** A field for a text that is no secret. */
export function TextField(
  { label, description, error, placeholder, isMultiline, isCode, ...rest }: TextFieldProps,
) {
  const look = `hftok-input${isCode ? " hftok-code" : ""}`;
  return (
    <AriaTextField {...rest} isInvalid={error !== undefined} className="hftok-field">
      {label && <FieldLabel isRequired={rest.isRequired}>{label}</FieldLabel>}
      {isMultiline
        ? <TextArea className={`${look} hftok-area`} placeholder={placeholder} rows={5} />
        : <Input className={look} placeholder={placeholder} />}
      {description && <Text slot="description" className="hftok-hint">{description}</Text>}
      <FieldError className="hftok-fault">{error}</FieldError>
    </AriaTextField>
  );
}

/** A field to find something in a list by; `label` is what is read in it while it is empty. */
export function SearchField(
  { label, value, onChange }: { label: string; value: string; onChange: (value: string) => void },
) {
  return (
    <div className="hftok-search">
      <Search aria-hidden className="hftok-icon" />
      <TextField
        aria-label={label}
        placeholder={label}
        type="search"
        value={value}
        onChange={onChange}
        autoComplete="off"
      />
    </div>
  );
}

/** The label of a field; says when the field may stay empty. */
export function FieldLabel(
  { children, isRequired = true, htmlFor }: { children: ReactNode; isRequired?: boolean; htmlFor?: string },
) {
  const { common } = useMessages();
  return (
    <Label className="hftok-label" htmlFor={htmlFor}>
      {children}
      {!isRequired && <span className="hftok-optional">{common.optional}</span>}
    </Label>
  );
}

/** A choice of a Select. */
export interface Choice<Id extends string = string> {
  id: Id;
  label: string;
  description?: string;
}

/** The props of a Select. */
export interface SelectProps<Id extends string> {
  label: string;
  /** The label is there for who cannot see it only. */
  isLabelHidden?: boolean;
  description?: string;
  choices: readonly Choice<Id>[];
  /** Null: nothing is chosen yet. */
  value: Id | null;
  onChange: (id: Id) => void;
  placeholder?: string;
  isDisabled?: boolean;
  isRequired?: boolean;
}

/** One of several. */
export function Select<Id extends string>(
  {
    label,
    isLabelHidden,
    description,
    choices,
    value,
    onChange,
    placeholder,
    isDisabled,
    isRequired = true,
  }: SelectProps<Id>,
) {
  const frame = useFrame();
  return (
    <AriaSelect
      className="hftok-field"
      aria-label={isLabelHidden ? label : undefined}
      value={value}
      onChange={(key) => {
        const chosen = choices.find(({ id }) => id === key);
        if (chosen) onChange(chosen.id);
      }}
      placeholder={placeholder ?? ""}
      isDisabled={isDisabled}
    >
      {!isLabelHidden && <FieldLabel isRequired={isRequired}>{label}</FieldLabel>}
      <AriaButton className="hftok-input hftok-select">
        <SelectValue className="hftok-select-value">
          {({ selectedText, defaultChildren }) => selectedText || defaultChildren}
        </SelectValue>
        <ChevronDown aria-hidden className="hftok-icon" />
      </AriaButton>
      {description && <Text slot="description" className="hftok-hint">{description}</Text>}
      <Popover {...frame} className="hftok hftok-popover">
        <ListBox className="hftok-list" items={choices}>
          {(choice) => (
            <ListBoxItem id={choice.id} textValue={choice.label} className="hftok-item">
              <span className="hftok-item-text">
                <Text slot="label">{choice.label}</Text>
                {choice.description && (
                  <Text slot="description" className="hftok-hint">
                    {choice.description}
                  </Text>
                )}
              </span>
              <Check aria-hidden className="hftok-icon hftok-item-check" />
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}

/** The props of a switch. */
export interface SwitchProps {
  label: string;
  description?: string;
  isSelected: boolean;
  onChange: (isSelected: boolean) => void;
  isDisabled?: boolean;
}

/** Something that is on or off, and takes effect at once. */
export function Switch({ label, description, ...rest }: SwitchProps) {
  return (
    <AriaSwitch {...rest} className="hftok-switch">
      <span className="hftok-switch-track" aria-hidden>
        <span className="hftok-switch-thumb" />
      </span>
      <span className="hftok-switch-text">
        <span>{label}</span>
        {description && <span className="hftok-hint">{description}</span>}
      </span>
    </AriaSwitch>
  );
}
