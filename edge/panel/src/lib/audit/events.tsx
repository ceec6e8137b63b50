// The events of the audit: looking for them, and what each tells.
import { useState } from "react";
import { ScrollText, SearchX } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { type AuditEvent, type AuditSearch, useAuditEvents } from "../hooks/audit.ts";
import { useFormat } from "../hooks/format.ts";
import {
  Banner,
  Button,
  Buttons,
  Card,
  EmptyState,
  Loaded,
  Segments,
  Skeleton,
} from "../primitives/index.ts";
import { KINDS } from "./activity.ts";
import { EventTable } from "./event_table.tsx";
import { SearchForm } from "./search_form.tsx";

/** The number of events that are read first, and each time that more are wanted. */
const STEP = 25;
/** PostgREST gives no more rows at once: Supabase's own limit, unless a project has another. */
const MOST = 1000;

/** The props of the card. */
export interface EventsProps {
  /** What is looked for. */
  search: AuditSearch;
  onSearch: (search: AuditSearch) => void;
}

/** The card with the events. */
export function Events({ search, onSearch }: EventsProps) {
  const { audit } = useMessages();
  const [newest, setNewest] = useState(STEP);
  const look = (next: AuditSearch) => {
    onSearch(next);
    setNewest(STEP);
  };
  const kinds = [{ id: "all", label: audit.all }, ...KINDS.map((id) => ({ id, label: audit.kinds[id] }))];
  const readers = (objectId: string) => look({ objectId, kind: "reveal" });
  return (
    <Card icon={ScrollText} title={audit.search}>
      <SearchForm key={JSON.stringify(search)} search={search} onSearch={look} />
      <div className="hftok-controls">
        <Segments
          label={audit.what}
          choices={kinds}
          value={search.kind ?? "all"}
          onChange={(kind) => look({ ...search, kind: kind === "all" ? undefined : kind })}
        />
      </div>
      {search.objectId && search.kind === "reveal" && (
        <Banner
          tone="info"
          title={audit.readersOf(search.objectId)}
          action={<Button size="small" onPress={() => look({})}>{audit.clear}</Button>}
        />
      )}
      <Found
        search={search}
        newest={newest}
        onMore={() => setNewest(Math.min(newest * 2, MOST))}
        onReaders={readers}
      />
    </Card>
  );
}

/** What the list needs. */
interface FoundProps {
  search: AuditSearch;
  newest: number;
  onMore: () => void;
  onReaders: (objectId: string) => void;
}

function Found({ search, newest, onMore, onReaders }: FoundProps) {
  const { audit } = useMessages();
  const format = useFormat();
  const [last, setLast] = useState<AuditEvent[]>();
  const reading = useAuditEvents(search, newest);
  // While more are read, those that are there stay.
  if (reading.data !== undefined && reading.data !== last) setLast(reading.data);
  const skeleton = newest > STEP && last
    ? <EventTable events={last} onReaders={onReaders} />
    : <Skeleton lines={6} height="row" />;
  return (
    <Loaded reading={reading} skeleton={skeleton}>
      {(events) => {
        if (events.length === 0) {
          return <EmptyState icon={SearchX} title={audit.none}>{audit.noneHelp}</EmptyState>;
        }
        const isCut = events.length >= newest;
        const count = format.number(events.length);
        return (
          <>
            <p className="hftok-faint" role="status">{isCut ? audit.shown(count) : audit.shownAll(count)}</p>
            <EventTable events={events} onReaders={onReaders} />
            {isCut && newest < MOST && (
              <Buttons align="start">
                <Button onPress={onMore} isPending={reading.isFetching}>{audit.more}</Button>
              </Buttons>
            )}
          </>
        );
      }}
    </Loaded>
  );
}
