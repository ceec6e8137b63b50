// The field for a value.
//
// Must stay true: React never has the value. The field is uncontrolled, and read only when something is done with it; taking the value
// empties the field and hides what is typed next.
import { type Ref, useId, useImperativeHandle, useRef, useState } from "react";
import { Input, TextArea } from "react-aria-components";
import { Eye, EyeOff } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { IconButton } from "./button.tsx";
import { FieldLabel } from "./fields.tsx";

/** The way to the value in a SecretField. */
export interface SecretFieldHandle {
  /** The value, which leaves the field. */
  take: () => string;
  /** The value, which stays: for a test of what is not saved. */
  read: () => string;
  /** Puts a value into the field: that of a file which was chosen. */
  fill: (value: string) => void;
  /** Empties the field. */
  clear: () => void;
  focus: () => void;
}

/** The props of a SecretField. */
export interface SecretFieldProps {
  ref?: Ref<SecretFieldHandle>;
  label: string;
  description?: string;
  /** What is wrong with it. */
  error?: string;
  placeholder?: string;
  isRequired?: boolean;
  isDisabled?: boolean;
  /** Several lines, as a private key has them. These cannot be hidden by a browser, so they are blurred until they are shown. */
  isMultiline?: boolean;
  /** Called when the field becomes empty, or no longer is; never with what is in it. */
  onFilledChange?: (isFilled: boolean) => void;
}

/** A password field with a button that shows what is in it. */
export function SecretField({ ref, onFilledChange, ...rest }: SecretFieldProps) {
  const { label, description, error, placeholder, isRequired = true, isDisabled, isMultiline } = rest;
  const { common } = useMessages();
  const id = useId();
  const { input, tell, isShown, setShown } = useValue(ref, onFilledChange);
  const described = [description && `${id}-hint`, error && `${id}-fault`].filter(Boolean).join(" ");
  const shared = {
    ...UNKEPT,
    ref: input,
    id,
    placeholder,
    disabled: isDisabled,
    required: isRequired,
    onInput: tell,
    "aria-invalid": error !== undefined,
    "aria-describedby": described || undefined,
  };
  const look = "hftok-input hftok-code";
  return (
    <div className="hftok-field">
      <FieldLabel htmlFor={id} isRequired={isRequired}>{label}</FieldLabel>
      <div className="hftok-secret">
        {isMultiline
          ? (
            <TextArea
              {...shared}
              rows={5}
              className={`${look} hftok-area`}
              data-veiled={!isShown || undefined}
            />
          )
          : <Input {...shared} type={isShown ? "text" : "password"} className={look} />}
        <IconButton
          label={isShown ? common.hide(label) : common.show(label)}
          icon={isShown ? EyeOff : Eye}
          onPress={() => setShown(!isShown)}
          isDisabled={isDisabled}
        />
      </div>
      {description && <span id={`${id}-hint`} className="hftok-hint">{description}</span>}
      {error && <span id={`${id}-fault`} className="hftok-fault">{error}</span>}
    </div>
  );
}

/** Neither the browser nor a password manager keeps it, and no service checks its spelling. */
const UNKEPT = {
  autoComplete: "off",
  autoCapitalize: "none",
  autoCorrect: "off",
  spellCheck: false,
  "data-1p-ignore": true,
  "data-lpignore": "true",
} as const;

/** The element that has the value, whether it is shown, and the way to it. */
function useValue(ref: SecretFieldProps["ref"], onFilledChange: SecretFieldProps["onFilledChange"]) {
  const input = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  const filled = useRef(false);
  const [isShown, setShown] = useState(false);
  const tell = () => {
    const isFilled = (input.current?.value ?? "") !== "";
    if (isFilled === filled.current) return;
    filled.current = isFilled;
    onFilledChange?.(isFilled);
  };
  const clear = () => {
    if (input.current) input.current.value = "";
    setShown(false);
    tell();
  };
  useImperativeHandle(ref, () => ({
    take: () => {
      const value = input.current?.value ?? "";
      clear();
      return value;
    },
    read: () => input.current?.value ?? "",
    fill: (value) => {
      if (input.current) input.current.value = value;
      tell();
    },
    clear,
    focus: () => input.current?.focus(),
  }));
  return { input, tell, isShown, setShown };
}
