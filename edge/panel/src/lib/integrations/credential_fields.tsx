// The credentials of an integration as fields of a form, generated from the catalogue.
//
// Must stay true: React never has a secret. Secret fields are read when they are sent, and taking empties them; what the catalogue calls
// no secret (a region, a client's id) is ordinary state.
import { type Ref, useImperativeHandle, useRef, useState } from "react";
import { FileTrigger } from "react-aria-components";
import { FileUp } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { SecretValue } from "../connection/secret_value.ts";
import type { CatalogueProvider, ProviderField } from "../hooks/providers.ts";
import { Button, SecretField, type SecretFieldHandle, Select, TextField } from "../primitives/index.ts";
import { type CredentialField, credentialsOf } from "./credentials.ts";

/** The way to what was typed. */
export interface CredentialFieldsHandle {
  /** The names of required fields that are empty. */
  missing: () => string[];
  /** What was typed, which leaves the fields; null when nothing was. */
  take: () => SecretValue | null;
  /** What was typed, which stays: for a test of what is not saved. */
  copy: () => SecretValue | null;
}

/** What becomes of empty fields. */
export type WhenEmpty = "missing" | "kept" | "fine";

/** The props of the fields. */
export interface CredentialFieldsProps {
  ref?: Ref<CredentialFieldsHandle>;
  provider: CatalogueProvider;
  /** What becomes of empty fields: required ones are missing, the stored ones are kept, or all of them may stay empty. */
  whenEmpty: WhenEmpty;
  /** What is wrong with a field, by its name. */
  faults: Record<string, string | undefined>;
  /** Whether anything was typed. */
  onFilledChange: (isFilled: boolean) => void;
}

/** The file that a provider hands out takes the place of all fields. */
const DOCUMENT = "document";
const LARGEST_FILE = 64 * 1024;

/** Fields for the credentials of a provider. */
export function CredentialFields(
  { ref, provider, whenEmpty, faults, onFilledChange }: CredentialFieldsProps,
) {
  const { integrations: words } = useMessages();
  const keeps = whenEmpty === "kept";
  const isRequired = whenEmpty === "missing";
  const secrets = useRef(new Map<string, SecretFieldHandle>());
  const filled = useRef(new Set<string>());
  const [plain, setPlain] = useState<Record<string, string>>({});
  // A field with one possible text is no question.
  const asked = provider.takesDocument ? [] : provider.fields.filter(({ choices }) => choices.length !== 1);
  const fields: CredentialField[] = provider.takesDocument
    ? [{ name: DOCUMENT, isOptional: false }]
    : provider.fields;
  const tell = (name: string, isFilled: boolean) => {
    if (isFilled) filled.current.add(name);
    else filled.current.delete(name);
    onFilledChange(filled.current.size > 0);
  };
  const typed = (name: string, leaves: boolean): string => {
    const secret = secrets.current.get(name);
    if (secret) return leaves ? secret.take() : secret.read();
    const only = provider.fields.find((field) => field.name === name)?.choices;
    return plain[name] ?? (only?.length === 1 && !keeps && filled.current.size > 0 ? only[0] ?? "" : "");
  };
  const given = (leaves: boolean): SecretValue | null => {
    const credentials = credentialsOf(fields, (name) => typed(name, leaves), keeps);
    return credentials === null ? null : new SecretValue(credentials);
  };
  useImperativeHandle(ref, () => ({
    missing: () => {
      if (keeps || (!isRequired && filled.current.size === 0)) return [];
      return fields.filter((it) => !it.isOptional && typed(it.name, false).trim() === "").map((
        { name },
      ) => name);
    },
    take: () => given(true),
    copy: () => given(false),
  }));
  const hold = (name: string) => (handle: SecretFieldHandle | null) => {
    if (handle) secrets.current.set(name, handle);
    else secrets.current.delete(name);
  };
  const error = (name: string) => faults[name];
  const set = (name: string, value: string) => {
    setPlain({ ...plain, [name]: value });
    tell(name, value !== "");
  };
  return (
    <>
      {provider.takesDocument && (
        <DocumentField
          hold={hold(DOCUMENT)}
          error={error(DOCUMENT)}
          isRequired={isRequired}
          onFilledChange={(is) => tell(DOCUMENT, is)}
        />
      )}
      {asked.map((field) => (
        <OneField
          key={field.name}
          field={field}
          value={plain[field.name] ?? ""}
          isRequired={isRequired && !field.isOptional}
          hold={hold(field.name)}
          error={error(field.name)}
          onChange={(value) => set(field.name, value)}
          onFilledChange={(is) => tell(field.name, is)}
        />
      ))}
      {keeps && <p className="hftok-hint">{words.keepStored}</p>}
    </>
  );
}

/** Takes who typed to the first field that is wrong. */
export function focusFault(form: HTMLFormElement | null): void {
  form?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
}

interface OneFieldProps {
  field: ProviderField;
  value: string;
  isRequired: boolean;
  hold: (handle: SecretFieldHandle | null) => void;
  error: string | undefined;
  onChange: (value: string) => void;
  onFilledChange: (isFilled: boolean) => void;
}

function OneField({ field, value, isRequired, hold, error, onChange, onFilledChange }: OneFieldProps) {
  const { label, choices } = field;
  if (field.isSecret) {
    return (
      <SecretField
        ref={hold}
        label={label}
        isRequired={isRequired}
        isMultiline={field.name === "private_key"}
        error={error}
        onFilledChange={onFilledChange}
      />
    );
  }
  if (choices.length > 1) {
    return (
      <Select
        label={label}
        choices={choices.map((id) => ({ id, label: id }))}
        value={value === "" ? null : value}
        onChange={onChange}
        isRequired={isRequired}
      />
    );
  }
  return (
    <TextField
      label={label}
      value={value}
      onChange={onChange}
      isRequired={isRequired}
      error={error}
      isCode
      autoComplete="off"
      spellCheck="false"
    />
  );
}

interface DocumentFieldProps {
  hold: (handle: SecretFieldHandle | null) => void;
  error: string | undefined;
  isRequired: boolean;
  onFilledChange: (isFilled: boolean) => void;
}

function DocumentField({ hold, error, isRequired, onFilledChange }: DocumentFieldProps) {
  const { integrations: words } = useMessages();
  const field = useRef<SecretFieldHandle | null>(null);
  const [isTooLarge, setTooLarge] = useState(false);
  const read = async (files: FileList | null) => {
    const file = files?.[0];
    setTooLarge(file !== undefined && file.size > LARGEST_FILE);
    if (file === undefined || file.size > LARGEST_FILE) return;
    field.current?.fill(await file.text());
  };
  return (
    <div className="hftok-stack-small">
      <SecretField
        ref={(handle) => {
          field.current = handle;
          hold(handle);
        }}
        label={words.document}
        description={words.documentHint}
        error={isTooLarge ? words.documentTooLarge : error}
        isRequired={isRequired}
        isMultiline
        onFilledChange={onFilledChange}
      />
      <div>
        <FileTrigger
          acceptedFileTypes={["application/json", ".json"]}
          onSelect={(files) => void read(files)}
        >
          <Button size="small" icon={FileUp}>{words.chooseFile}</Button>
        </FileTrigger>
      </div>
    </div>
  );
}
