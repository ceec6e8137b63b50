// Integrations: connections to providers, as cards. Made by type, verified by themselves, shared, switched off, deleted.
//
// Must stay true: a card shows the mask, and there is nothing else to show: no answer holds credentials.
import { useState } from "react";
import { Plug, Plus } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { type Integration, useIntegrations } from "../hooks/integrations.ts";
import { useMe } from "../hooks/me.ts";
import { useProviders } from "../hooks/providers.ts";
import {
  Banner,
  Button,
  Buttons,
  EmptyState,
  FailureBanner,
  Frame,
  Loaded,
  PageHead,
  Skeleton,
} from "../primitives/index.ts";
import { DeleteDialog } from "./delete_dialog.tsx";
import { IntegrationCard } from "./integration_card.tsx";
import { IntegrationDialog } from "./integration_dialog.tsx";
import { ShareDialog } from "./share_dialog.tsx";

/** What is open above the cards. */
type Open =
  | { what: "none" }
  | { what: "new" }
  | { what: "edit" | "share" | "delete"; id: string };

/** The props of the component. */
export interface IntegrationsProps {
  /** False within a page that has a head of its own. */
  hasHead?: boolean;
}

/** Shows the reader's integrations, and makes new ones. */
export function Integrations({ hasHead = true }: IntegrationsProps) {
  const { integrations: words } = useMessages();
  const reading = useIntegrations();
  const [open, setOpen] = useState<Open>({ what: "none" });
  const [news, setNews] = useState<string | null>(null);
  const create = () => {
    setNews(null);
    setOpen({ what: "new" });
  };
  const tell = (text: string | null) => {
    setOpen({ what: "none" });
    if (text !== null) setNews(text);
  };
  const add = <Button variant="primary" icon={Plus} onPress={create}>{words.create}</Button>;
  const actions = reading.data !== undefined && reading.data.length > 0 ? add : null;
  return (
    <Frame>
      {hasHead
        ? <PageHead title={words.title} description={words.lead} actions={actions} />
        : actions && <Buttons>{actions}</Buttons>}
      {news && <Banner tone="good" title={news} announce="polite" />}
      {/* What was read stays on the page; that it may be old is said above it. */}
      {reading.data && reading.error && (
        <FailureBanner
          failure={reading.error}
          onRetry={() => void reading.refetch()}
        />
      )}
      <Loaded reading={reading} skeleton={<Waiting />}>
        {(rows) =>
          rows.length > 0
            ? <Cards rows={rows} onOpen={setOpen} />
            : <EmptyState icon={Plug} title={words.emptyTitle} action={add}>{words.emptyText}</EmptyState>}
      </Loaded>
      <Dialogs open={open} rows={reading.data ?? []} onEnd={tell} />
    </Frame>
  );
}

function Cards({ rows, onOpen }: { rows: Integration[]; onOpen: (open: Open) => void }) {
  const { integrations: words } = useMessages();
  const providers = useProviders();
  const labels = new Map(providers.data?.map(({ name, label }) => [name, label]));
  return (
    <ul className="hftok-integrations" aria-label={words.title}>
      {rows.map((row) => (
        <li key={row.id}>
          <IntegrationCard
            integration={row}
            typeLabel={labels.get(row.type) ?? row.type}
            onEdit={() => onOpen({ what: "edit", id: row.id })}
            onShare={() => onOpen({ what: "share", id: row.id })}
            onDelete={() => onOpen({ what: "delete", id: row.id })}
          />
        </li>
      ))}
    </ul>
  );
}

interface DialogsProps {
  open: Open;
  rows: Integration[];
  /** It is closed; with a text, something was done. */
  onEnd: (text: string | null) => void;
}

function Dialogs({ open, rows, onEnd }: DialogsProps) {
  const { integrations: words } = useMessages();
  const providers = useProviders();
  const memberships = useMe().data?.memberships ?? [];
  const subject = "id" in open ? rows.find(({ id }) => id === open.id) : undefined;
  const close = () => onEnd(null);
  if (open.what === "new" || (open.what === "edit" && subject)) {
    return (
      <IntegrationDialog
        former={subject}
        catalogue={providers}
        memberships={memberships}
        onClose={close}
        onDone={(name, isTried) => onEnd(isTried ? words.saved(name) : words.changed(name))}
      />
    );
  }
  if (!subject) return null;
  if (open.what === "share") {
    return <ShareDialog integration={subject} memberships={memberships} onClose={close} />;
  }
  return (
    <DeleteDialog
      integration={subject}
      onClose={close}
      onDone={() => onEnd(words.removed(subject.name))}
    />
  );
}

function Waiting() {
  return (
    <div className="hftok-integrations">
      {[1, 2, 3, 4].map((card) => <Skeleton key={card} lines={1} height="card" />)}
    </div>
  );
}
