// The form by which events are looked for.
import { type FormEvent, useState } from "react";
import { Search } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import type { AuditSearch } from "../hooks/audit.ts";
import { Button, Buttons, TextField } from "../primitives/index.ts";
import { dayOf, endOfDay, isId, startOfDay } from "./days.ts";

/** The props of the form. */
export interface SearchFormProps {
  /** What is looked for now. */
  search: AuditSearch;
  onSearch: (search: AuditSearch) => void;
}

/** Person, credential, role and days; the kind of event stands beside the list. */
export function SearchForm({ search, onSearch }: SearchFormProps) {
  const { audit } = useMessages();
  const [user, setUser] = useState(search.user ?? "");
  const [objectId, setObjectId] = useState(search.objectId ?? "");
  const [role, setRole] = useState(search.role ?? "");
  const [from, setFrom] = useState(dayOf(search.from));
  const [to, setTo] = useState(dayOf(search.to, -1));
  const [isBad, setBad] = useState(false);
  const given = (text: string) => text.trim() === "" ? undefined : text.trim();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const id = given(objectId);
    setBad(id !== undefined && !isId(id));
    if (id !== undefined && !isId(id)) return;
    onSearch({
      kind: search.kind,
      user: given(user),
      objectId: id,
      role: given(role),
      from: startOfDay(from),
      to: endOfDay(to),
    });
  };
  const isEmpty = [user, objectId, role, from, to].every((text) => text === "");
  const field = { autoComplete: "off", spellCheck: "false" } as const;
  return (
    <form className="hftok-form" role="search" aria-label={audit.search} onSubmit={submit} noValidate>
      <div className="hftok-criteria">
        <TextField
          {...field}
          label={audit.person}
          description={audit.personHelp}
          value={user}
          onChange={setUser}
        />
        <TextField
          {...field}
          label={audit.object}
          description={audit.objectHelp}
          error={isBad ? audit.objectBad : undefined}
          value={objectId}
          onChange={setObjectId}
          isCode
        />
        <TextField {...field} label={audit.role} value={role} onChange={setRole} />
        <TextField {...field} label={audit.from} type="date" value={from} onChange={setFrom} />
        <TextField {...field} label={audit.to} type="date" value={to} onChange={setTo} />
      </div>
      <Buttons align="start">
        <Button type="submit" variant="primary" icon={Search}>{audit.find}</Button>
        {!isEmpty && (
          <Button variant="quiet" onPress={() => onSearch({ kind: search.kind })}>{audit.clear}</Button>
        )}
      </Buttons>
    </form>
  );
}
