// The form for a provider's credential, made of the fields that the catalogue says it has.
//
// Must stay true: values are in fields only. Saving takes all of them out at once, whether it succeeds or not; a test leaves them there.
import { type FormEvent, type Ref, useEffect, useImperativeHandle, useRef, useState } from "react";
import { FileTrigger } from "react-aria-components";
import { FileUp } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { SecretValue } from "../connection/secret_value.ts";
import type { CatalogueProvider, ProviderField } from "../hooks/providers.ts";
import { Button, SecretField, type SecretFieldHandle, Select, Tabs, TextField } from "../primitives/index.ts";
import { credentialsOf } from "./credentials.ts";

/** The way to what was entered. */
export interface CredentialFieldsHandle {
  /** What was entered, out of the fields; null when nothing was, or when something is missing, which the fields then say. */
  take: () => SecretValue | null;
  /** What was entered, which stays in the fields; null as with `take`. */
  read: () => SecretValue | null;
  /** Whether nothing was entered. */
  isEmpty: () => boolean;
}

/**
 * What becomes of fields that stay empty. `missing`: those that are needed are missing. `none`: all of them may stay empty, and then nothing
 * is given. `kept`: the same, and where some are filled in hftok keeps the others as they are stored.
 */
export type WhenEmpty = "missing" | "none" | "kept";

/** The props of the fields. */
export interface CredentialFieldsProps {
  provider: CatalogueProvider;
  ref?: Ref<CredentialFieldsHandle>;
  whenEmpty?: WhenEmpty;
  /** Called when the first of them is filled in, and when none is any more. */
  onFilledChange?: (isFilled: boolean) => void;
}

/** The props of one way to enter a credential. */
type WayProps = CredentialFieldsProps & { whenEmpty: WhenEmpty };

/** Names of fields whose values have several lines. */
const LONG = /private_key$|certificate/;
/** Who has so many fields has them in a file. */
const DOCUMENT_FROM = 4;
/** A service account's file has 2 kB. */
const FILE_BYTES_MAX = 64 * 1024;

/** The fields of a provider's credential; for many of them, also the file that has them all. */
export function CredentialFields({ ref, whenEmpty = "missing", ...rest }: CredentialFieldsProps) {
  const { provider } = rest;
  const { providers } = useMessages();
  const [way, setWay] = useState<"fields" | "document">(isDocument(provider) ? "document" : "fields");
  const inside = useRef<CredentialFieldsHandle>(null);
  useImperativeHandle(ref, () => ({
    take: () => inside.current?.take() ?? null,
    read: () => inside.current?.read() ?? null,
    isEmpty: () => inside.current?.isEmpty() ?? true,
  }));
  const asked = { ...rest, whenEmpty, ref: inside };
  if (!isDocument(provider)) return <EachField {...asked} />;
  return (
    <Tabs
      label={provider.label}
      selected={way}
      onChange={setWay}
      tabs={[
        { id: "document", label: providers.document, content: <WholeDocument {...asked} /> },
        { id: "fields", label: providers.fields, content: <EachField {...asked} /> },
      ]}
    />
  );
}

function isDocument({ fields }: CatalogueProvider): boolean {
  return fields.length >= DOCUMENT_FROM && fields.some(({ name }) => LONG.test(name));
}

function WholeDocument({ ref, whenEmpty, onFilledChange }: WayProps) {
  const { providers } = useMessages();
  const field = useRef<SecretFieldHandle>(null);
  const [fault, setFault] = useState<string>();
  const got = (how: "take" | "read") => {
    const text = field.current?.[how]().trim() ?? "";
    if (text !== "") return new SecretValue(text);
    if (whenEmpty === "missing") {
      setFault(providers.enter);
      field.current?.focus();
    }
    return null;
  };
  const open = async (files: FileList | null) => {
    const file = files?.[0];
    if (file === undefined) return;
    if (file.size > FILE_BYTES_MAX) setFault(providers.fileTooLarge);
    else field.current?.fill(await file.text());
  };
  useImperativeHandle(ref, () => ({
    take: () => got("take"),
    read: () => got("read"),
    isEmpty: () => (field.current?.read().trim() ?? "") === "",
  }));
  return (
    <div className="hftok-stack-small">
      <SecretField
        ref={field}
        label={providers.documentField}
        description={providers.documentHint}
        error={fault}
        placeholder="{ … }"
        onFilledChange={(isFilled) => {
          setFault(undefined);
          onFilledChange?.(isFilled);
        }}
        isRequired={whenEmpty === "missing"}
        isMultiline
      />
      <div>
        <FileTrigger
          acceptedFileTypes={["application/json", ".json"]}
          onSelect={(files) => void open(files)}
        >
          <Button size="small" icon={FileUp}>{providers.chooseFile}</Button>
        </FileTrigger>
      </div>
    </div>
  );
}

/** Where the value of a field is. */
interface Entry {
  take: () => string;
  read: () => string;
  /** One of several texts: there is always one, so nobody has entered it. */
  isChoice?: true;
}

function EachField({ provider, ref, whenEmpty, onFilledChange }: WayProps) {
  const { providers } = useMessages();
  const entries = useRef(new Map<string, Entry>());
  const filled = useRef(new Set<string>());
  const form = useRef<HTMLDivElement>(null);
  const [missing, setMissing] = useState<string[]>([]);
  // Whoever saves is taken to the first field that is missing.
  useEffect(() => {
    form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [missing]);
  const isEmpty = () =>
    Array.from(entries.current.values()).every((entry) => entry.isChoice || entry.read().trim() === "");
  const got = (how: "take" | "read") => {
    const read = (field: ProviderField) => entries.current.get(field.name)?.read().trim() ?? only(field);
    const isGiven = !isEmpty();
    const needed = whenEmpty === "missing" || (whenEmpty === "none" && isGiven) ? provider.fields : [];
    const without = needed.filter((field) => !field.isOptional && read(field) === "");
    setMissing(without.map(({ name }) => name));
    if (!isGiven || without.length > 0) return null;
    const credentials = credentialsOf(provider.fields, read, whenEmpty === "kept");
    if (how === "take") { for (const entry of entries.current.values()) entry.take(); }
    return new SecretValue(credentials);
  };
  useImperativeHandle(ref, () => ({
    take: () => got("take"),
    read: () => got("read"),
    isEmpty,
  }));
  const enter = (name: string) => (entry: Entry | null) => {
    if (entry) entries.current.set(name, entry);
    else entries.current.delete(name);
  };
  const entered = (name: string, isFilled: boolean) => {
    setMissing((names) => names.filter((it) => it !== name));
    const before = filled.current.size > 0;
    if (isFilled) filled.current.add(name);
    else filled.current.delete(name);
    if (before !== filled.current.size > 0) onFilledChange?.(!before);
  };
  return (
    <div ref={form} className="hftok-form">
      {provider.fields.filter(({ choices }) => choices.length !== 1).map((field) => (
        <OneField
          key={field.name}
          field={field}
          placeholder={field.isSecret ? provider.prefixes[0] : undefined}
          isMissing={missing.includes(field.name)}
          isRequired={whenEmpty === "missing" && !field.isOptional}
          onEntered={(isFilled) => entered(field.name, isFilled)}
          ref={enter(field.name)}
        />
      ))}
      {whenEmpty === "kept" && <p className="hftok-hint">{providers.keepsEmpty}</p>}
    </div>
  );
}

/** The one text that a field may have; nothing where there is a choice. */
function only({ choices }: ProviderField): string {
  return choices.length === 1 ? choices[0] ?? "" : "";
}

/** The props of one field. */
interface OneFieldProps {
  field: ProviderField;
  placeholder: string | undefined;
  isMissing: boolean;
  isRequired: boolean;
  onEntered: (isFilled: boolean) => void;
  ref: (entry: Entry | null) => void;
}

function OneField({ field, placeholder, isMissing, isRequired, onEntered, ref }: OneFieldProps) {
  const { providers } = useMessages();
  const error = isMissing ? providers.enter : undefined;
  const shared = { label: field.label, error, isRequired };
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
  useImperativeHandle(ref, () => ({ take: () => value, read: () => value, isChoice: true } as const), [
    value,
  ]);
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
    onChange: (isFilled: boolean) => void;
    ref: (entry: Entry | null) => void;
  },
) {
  const [text, setText] = useState("");
  useImperativeHandle(ref, () => ({
    take: () => {
      setText("");
      onChange(false);
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
        onChange(text !== "");
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
