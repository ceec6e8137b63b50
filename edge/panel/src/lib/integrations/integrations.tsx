// Integrations: connections to providers, as cards. Made by type, verified by themselves, shared, switched off, deleted.
//
// Must stay true: a card shows the mask, and there is nothing else to show: no answer holds credentials.
import { useState } from "react";
import { Plug, Plus } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { useIntegrations } from "../hooks/integrations.ts";
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
  const providers = useProviders();
  const me = useMe();
  const [open, setOpen] = useState<Open>({ what: "none" });
  const [news, setNews] = useState<string | null>(null);
  const close = () => setOpen({ what: "none" });
  const tell = (text: string) => {
    close();
    setNews(text);
  };
  const create = () => {
    setNews(null);
    setOpen({ what: "new" });
  };
  const labels = new Map(providers.data?.map(({ name, label }) => [name, label]));
  const subject = "id" in open ? reading.data?.find(({ id }) => id === open.id) : undefined;
  const add = <Button variant="primary" icon={Plus} onPress={create}>{words.create}</Button>;
  return (
    <Frame>
      {hasHead
        ? (
          <PageHead
            title={words.title}
            description={words.lead}
            actions={reading.data?.length ? add : null}
          />
        )
        : reading.data !== undefined && reading.data.length > 0 && <Buttons>{add}</Buttons>}
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
          rows.length === 0
            ? (
              <EmptyState icon={Plug} title={words.emptyTitle} action={add}>
                {words.emptyText}
              </EmptyState>
            )
            : (
              <ul className="hftok-integrations" aria-label={words.title}>
                {rows.map((row) => (
                  <li key={row.id}>
                    <IntegrationCard
                      integration={row}
                      typeLabel={labels.get(row.type) ?? row.type}
                      onEdit={() => setOpen({ what: "edit", id: row.id })}
                      onShare={() => setOpen({ what: "share", id: row.id })}
                      onDelete={() => setOpen({ what: "delete", id: row.id })}
                    />
                  </li>
                ))}
              </ul>
            )}
      </Loaded>
      {(open.what === "new" || (open.what === "edit" && subject)) && (
        <IntegrationDialog
          former={subject}
          catalogue={providers}
          memberships={me.data?.memberships ?? []}
          onClose={close}
          onDone={(name, isTried) => tell(isTried ? words.saved(name) : words.changed(name))}
        />
      )}
      {open.what === "share" && subject && (
        <ShareDialog integration={subject} memberships={me.data?.memberships ?? []} onClose={close} />
      )}
      {open.what === "delete" && subject && (
        <DeleteDialog
          integration={subject}
          onClose={close}
          onDone={() => tell(words.removed(subject.name))}
        />
      )}
    </Frame>
  );
}

function Waiting() {
  return (
    <div className="hftok-integrations">
      {[1, 2, 3, 4].map((card) => <Skeleton key={card} lines={1} height="card" />)}
    </div>
  );
}
