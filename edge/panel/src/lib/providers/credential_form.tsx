// The form for a provider's credential, made of the fields that the catalogue says it has.
//
// Must stay true: values are in fields only. Saving takes all of them out at once, whether it succeeds or not; a test leaves them there.
import { type FormEvent, type Ref, useImperativeHandle, useRef, useState } from "react";
import { useMessages } from "../connection/provider.tsx";
import { type Plain, SecretValue } from "../connection/secret_value.ts";
import type { CatalogueProvider, ProviderField } from "../hooks/providers.ts";
import { SecretField, type SecretFieldHandle, Select, Tabs, TextField } from "../primitives/index.ts";

/** The way to what was entered. */
export interface CredentialFieldsHandle {
  /** What was entered, out of the fields; null when something is missing, which the fields then say. */
  take: () => SecretValue | null;
  /** What was entered, which stays in the fields; null when something is missing. */
  read: () => SecretValue | null;
  /** Whether nothing was entered. */
  isEmpty: () => boolean;
}

/** The props of the fields. */
export interface CredentialFieldsProps {
  provider: CatalogueProvider;
  ref?: Ref<CredentialFieldsHandle>;
}

/** Names of fields whose values have several lines. */
const LONG = /private_key$|certificate/;
/** Who has so many fields has them in a file. */
const DOCUMENT_FROM = 4;

/** The fields of a provider's credential; for many of them, also the file that has them all. */
export function CredentialFields({ provider, ref }: CredentialFieldsProps) {
  const { providers } = useMessages();
  const [way, setWay] = useState<"fields" | "document">(isDocument(provider) ? "document" : "fields");
  const inside = useRef<CredentialFieldsHandle>(null);
  useImperativeHandle(ref, () => ({
    take: () => inside.current?.take() ?? null,
    read: () => inside.current?.read() ?? null,
    isEmpty: () => inside.current?.isEmpty() ?? true,
  }));
  if (!isDocument(provider)) return <EachField provider={provider} ref={inside} />;
  return (
    <Tabs
      label={provider.label}
      selected={way}
      onChange={setWay}
      tabs={[
        { id: "document", label: providers.document, content: <WholeDocument ref={inside} /> },
        { id: "fields", label: providers.fields, content: <EachField provider={provider} ref={inside} /> },
      ]}
    />
  );
}

function isDocument({ fields }: CatalogueProvider): boolean {
  return fields.length >= DOCUMENT_FROM && fields.some(({ name }) => LONG.test(name));
}

function WholeDocument({ ref }: { ref: Ref<CredentialFieldsHandle> }) {
  const { providers } = useMessages();
  const field = useRef<SecretFieldHandle>(null);
  const [isMissing, setMissing] = useState(false);
  const got = (how: "take" | "read") => {
    const text = field.current?.[how]().trim() ?? "";
    setMissing(text === "");
    return text === "" ? null : new SecretValue(text);
  };
  useImperativeHandle(ref, () => ({
    take: () => got("take"),
    read: () => got("read"),
    isEmpty: () => (field.current?.read().trim() ?? "") === "",
  }));
  return (
    <SecretField
      ref={field}
      label={providers.documentField}
      description={providers.documentHint}
      error={isMissing ? providers.enter : undefined}
      placeholder="{ … }"
      onFilledChange={() => setMissing(false)}
      isMultiline
    />
  );
}

/** Where the value of a field is. */
interface Entry {
  take: () => string;
  read: () => string;
}

function EachField({ provider, ref }: { provider: CatalogueProvider; ref: Ref<CredentialFieldsHandle> }) {
  const entries = useRef(new Map<string, Entry>());
  const [missing, setMissing] = useState<string[]>([]);
  const got = (how: "take" | "read") => {
    const values = Object.fromEntries(
      provider.fields.map((
        field,
      ) => [field.name, entries.current.get(field.name)?.read().trim() ?? only(field)]),
    );
    const without = provider.fields.filter(({ name, isOptional }) => !isOptional && values[name] === "");
    setMissing(without.map(({ name }) => name));
    if (without.length > 0) return null;
    if (how === "take") { for (const entry of entries.current.values()) entry.take(); }
    return new SecretValue(plain(provider.fields, values));
  };
  useImperativeHandle(ref, () => ({
    take: () => got("take"),
    read: () => got("read"),
    isEmpty: () => Array.from(entries.current.values()).every((entry) => entry.read().trim() === ""),
  }));
  const enter = (name: string) => (entry: Entry | null) => {
    if (entry) entries.current.set(name, entry);
    else entries.current.delete(name);
  };
  return (
    <div className="hftok-form">
      {provider.fields.filter(({ choices }) => choices.length !== 1).map((field) => (
        <OneField
          key={field.name}
          field={field}
          placeholder={field.isSecret ? provider.prefixes[0] : undefined}
          isMissing={missing.includes(field.name)}
          onEntered={() => setMissing((names) => names.filter((name) => name !== field.name))}
          ref={enter(field.name)}
        />
      ))}
    </div>
  );
}

/** The one text that a field may have; nothing where there is a choice. */
function only({ choices }: ProviderField): string {
  return choices.length === 1 ? choices[0] ?? "" : "";
}

/** A credential of one field is its text, as people paste it; others are an object, without what was left empty. */
function plain(fields: ProviderField[], values: Record<string, string>): Plain {
  const [first, second] = fields;
  if (first && !second) return values[first.name] ?? "";
  return Object.fromEntries(Object.entries(values).filter(([_, value]) => value !== ""));
}

/** The props of one field. */
interface OneFieldProps {
  field: ProviderField;
  placeholder: string | undefined;
  isMissing: boolean;
  onEntered: () => void;
  ref: (entry: Entry | null) => void;
}

function OneField({ field, placeholder, isMissing, onEntered, ref }: OneFieldProps) {
  const { providers } = useMessages();
  const error = isMissing ? providers.enter : undefined;
  const shared = { label: field.label, error, isRequired: !field.isOptional };
  if (field.isSecret) {
    const isMultiline = LONG.test(field.name);
    const shown = placeholder && !isMultiline ? `${placeholder}…` : undefined;
    return (
      <SecretField
        {...shared}
        ref={ref}
        placeholder={shown}
        isMultiline={isMultiline}
        onFilledChange={onEntered}
      />
    );
  }
  if (field.choices.length > 1) return <ChoiceField field={field} ref={ref} />;
  return <OpenField {...shared} ref={ref} onChange={onEntered} />;
}

function ChoiceField(
  { field: { label, choices }, ref }: { field: ProviderField; ref: (entry: Entry | null) => void },
) {
  const [value, setValue] = useState(choices[0] ?? "");
  useImperativeHandle(ref, () => ({ take: () => value, read: () => value }), [value]);
  return (
    <Select
      label={label}
      choices={choices.map((id) => ({ id, label: id }))}
      value={value}
      onChange={setValue}
    />
  );
}

/** A field for what is no secret; React may have it. */
function OpenField(
  { ref, onChange, ...rest }: {
    label: string;
    error: string | undefined;
    isRequired: boolean;
    onChange: () => void;
    ref: (entry: Entry | null) => void;
  },
) {
  const [text, setText] = useState("");
  useImperativeHandle(ref, () => ({
    take: () => {
      setText("");
      return text;
    },
    read: () => text,
  }), [text]);
  return (
    <TextField
      {...rest}
      value={text}
      onChange={(text) => {
        setText(text);
        onChange();
      }}
      isCode
      autoComplete="off"
      spellCheck="false"
    />
  );
}

/** Hands a form to what saves. */
export function submitting(save: () => void) {
  return (event: FormEvent) => {
    event.preventDefault();
    event.stopPropagation();
    save();
  };
}
