// Events as rows, and everything that one tells in a dialog.
import { Fragment, useState } from "react";
import { ArrowRightLeft, Eye, KeyRound, type LucideIcon, ShieldCheck, ShieldX } from "lucide-react";
import { useMessages, usePanel } from "../connection/provider.tsx";
import type { AuditEvent } from "../hooks/audit.ts";
import { useFormat } from "../hooks/format.ts";
import type { Messages } from "../messages/index.ts";
import {
  Banner,
  Button,
  Buttons,
  type Column,
  Dialog,
  Facts,
  StatusBadge,
  Table,
} from "../primitives/index.ts";
import { isKind, type Kind } from "./activity.ts";
import { outcomeNamed, toneOf } from "./outcomes.ts";

const KIND_ICONS: Record<Kind, LucideIcon> = {
  reveal: Eye,
  change: ArrowRightLeft,
  refusal: ShieldX,
  key: KeyRound,
  audit: ShieldCheck,
};

/** The props of the table. */
export interface EventTableProps {
  events: AuditEvent[];
  /** Asks who read a credential. */
  onReaders: (objectId: string) => void;
}

/** Events, the newest first. */
export function EventTable({ events, onReaders }: EventTableProps) {
  const { audit } = useMessages();
  const format = useFormat();
  const [open, setOpen] = useState<AuditEvent | null>(null);
  const columns: Column<AuditEvent>[] = [
    { id: "time", header: audit.time, isRowHeader: true, cell: ({ at }) => at && <Moment at={at} /> },
    { id: "what", header: audit.what, cell: (event) => <What event={event} /> },
    {
      id: "who",
      header: audit.who,
      cell: (event) => <span className="hftok-breakable">{whoDid(event)}</span>,
    },
    { id: "where", header: audit.where, cell: (event) => <On event={event} /> },
    {
      id: "result",
      header: audit.result,
      cell: (event) => (
        <span className="hftok-two-lines">
          <StatusBadge tone={toneOf(event)}>{outcomeNamed(event.outcome, audit)}</StatusBadge>
          {(event.count ?? 1) > 1 && (
            <span className="hftok-faint">{audit.times(format.number(event.count ?? 1))}</span>
          )}
        </span>
      ),
    },
    {
      id: "details",
      header: audit.details,
      isHeaderHidden: true,
      isNarrow: true,
      align: "end",
      cell: (event) => (
        <Button
          variant="quiet"
          size="small"
          aria-label={`${audit.details}: ${event.id}`}
          onPress={() => setOpen(event)}
        >
          {audit.details}
        </Button>
      ),
    },
  ];
  return (
    <>
      <div className="hftok-bleed">
        <Table caption={audit.search} columns={columns} rows={events} rowKey={({ id }) => String(id)} />
      </div>
      <Dialog
        title={open === null ? audit.details : audit.event(String(open.id))}
        isOpen={open !== null}
        onOpenChange={(isOpen) => isOpen || setOpen(null)}
        size="large"
      >
        {open && (
          <Details
            event={open}
            onReaders={(id) => {
              setOpen(null);
              onReaders(id);
            }}
          />
        )}
      </Dialog>
    </>
  );
}

/** A time to the second: what came first matters here. */
function Moment({ at }: { at: string }) {
  const { locale } = usePanel();
  const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
  const time = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });
  return (
    <time dateTime={at} className="hftok-two-lines hftok-moment">
      <span>{time.format(new Date(at))}</span>
      <span className="hftok-faint">{day.format(new Date(at))}</span>
    </time>
  );
}

/** The name of a call, which may be broken between its words. */
function CallName({ name }: { name: string }) {
  return (
    <code className="hftok-faint">
      {name.split(/(?<=_)/).map((word, at) => <Fragment key={at}>{at > 0 && <wbr />}{word}</Fragment>)}
    </code>
  );
}

function What({ event: { kind, action } }: { event: AuditEvent }) {
  const { audit } = useMessages();
  const known = isKind(kind) ? kind : null;
  return (
    <span className="hftok-two-lines">
      <StatusBadge
        tone={known === "refusal" ? "bad" : known === "reveal" ? "accent" : "neutral"}
        icon={known ? KIND_ICONS[known] : undefined}
      >
        {known ? audit.kind[known] : kind}
      </StatusBadge>
      {action && <CallName name={action} />}
    </span>
  );
}

function On({ event: { kind, provider, owner_scope, owner_id, subject } }: { event: AuditEvent }) {
  const { audit } = useMessages();
  const scope = scopeOf(owner_scope, audit);
  if (!provider && !scope) return <span className="hftok-faint">–</span>;
  return (
    <span className="hftok-two-lines">
      {provider && <span>{provider}</span>}
      {scope && <span className="hftok-faint">{[scope, owner_id].filter(Boolean).join(": ")}</span>}
      {kind === "change" && subject && <span className="hftok-faint">{audit.about(subject)}</span>}
    </span>
  );
}

function Details({ event, onReaders }: { event: AuditEvent; onReaders: (objectId: string) => void }) {
  const { audit } = useMessages();
  const format = useFormat();
  const { fields } = audit;
  const code = (text: string | number | null) =>
    text === null || text === "" ? null : <code className="hftok-breakable">{text}</code>;
  const facts = [
    { name: fields.at, value: event.at && format.dateTime(event.at) },
    { name: fields.action, value: code(event.action) },
    { name: fields.outcome, value: outcomeNamed(event.outcome, audit) },
    { name: fields.count, value: (event.count ?? 1) > 1 ? format.number(event.count ?? 1) : null },
    { name: fields.actor_user, value: code(event.actor_user) },
    { name: fields.role_name, value: code(event.role_name) },
    { name: fields.outer_role, value: event.outer_role === event.role_name ? null : code(event.outer_role) },
    { name: fields.login_role, value: code(event.login_role) },
    {
      name: fields.owner,
      value: [scopeOf(event.owner_scope, audit), event.owner_id].filter(Boolean).join(": ") || null,
    },
    { name: fields.provider, value: event.provider },
    { name: fields.level, value: code(event.level) },
    { name: fields.subject, value: code(event.subject) },
    { name: fields.object_id, value: code(event.object_id) },
    { name: fields.version, value: event.version },
    { name: fields.client_addr, value: code(event.client_addr) },
    { name: fields.application_name, value: event.application_name },
    { name: fields.request_id, value: code(event.request_id) },
    { name: fields.chain_hash, value: code(event.chain_hash) },
  ].filter(({ value }) => value !== null && value !== "");
  const objectId = event.object_id;
  return (
    <>
      {event.protected === false && <Banner tone="warning" title={audit.unprotectedEvent} />}
      <Facts facts={facts} />
      {objectId && (
        <Buttons align="start">
          <Button icon={Eye} onPress={() => onReaders(objectId)}>{audit.readers}</Button>
        </Buttons>
      )}
    </>
  );
}

/** Who did it: the person, else the role of the database. */
function whoDid({ actor_user, role_name }: AuditEvent): string {
  return actor_user ?? role_name ?? "–";
}

function scopeOf(scope: string | null, audit: Messages["audit"]): string | null {
  return Object.entries(audit.scopes).find(([id]) => id === scope)?.[1] ?? scope;
}
