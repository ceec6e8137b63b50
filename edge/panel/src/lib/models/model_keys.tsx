// Keys of models: which models have one of their own, and which use their provider's.
import { useState } from "react";
import { Box, CircleHelp, KeyRound, Plus, Trash2 } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { type ModelSecret, useModelSecrets } from "../hooks/models.ts";
import { type CatalogueProvider, useProviders } from "../hooks/providers.ts";
import { useDeleteSecret } from "../hooks/secrets.ts";
import { useSettled } from "../hooks/settled.ts";
import {
  ActionMenu,
  Banner,
  Button,
  Buttons,
  Card,
  type Column,
  ConfirmDialog,
  Dialog,
  EmptyState,
  Frame,
  Loaded,
  Mask,
  type MenuAction,
  PageHead,
  Select,
  Skeleton,
  Table,
  TextField,
  Timestamp,
} from "../primitives/index.ts";
import { SecretBadge } from "../secrets/shown.tsx";
import { KeyInUse } from "./key_in_use.tsx";
import { OtherModels } from "./other_models.tsx";
import { ModelKeyForm } from "./model_key.tsx";

/** A model, by the name that requests have. */
export interface KnownModel {
  provider: string;
  model: string;
}

/** The props of the component. */
export interface ModelKeysProps {
  /** The application's models; those without a key of their own are shown with the key that they use. */
  models?: KnownModel[];
  /** Called to show why a model uses the key that it uses. */
  onWhy?: (model: KnownModel) => void;
  /** False within a page that has a head of its own. */
  hasHead?: boolean;
}

/** What is open above the list. */
type Open = { what: "none" } | { what: "new" } | { what: "edit" | "remove"; model: KnownModel };

const NONE: Open = { what: "none" };

/** Shows the keys of models. */
export function ModelKeys({ models = [], onWhy, hasHead = true }: ModelKeysProps) {
  const { models: words } = useMessages();
  const secrets = useModelSecrets();
  const providers = useProviders();
  const [open, setOpen] = useState<Open>(NONE);
  const [news, setNews] = useState<string | null>(null);
  const close = () => setOpen(NONE);
  const add = (
    <Button variant="primary" icon={Plus} onPress={() => setOpen({ what: "new" })}>{words.add}</Button>
  );
  return (
    <Frame>
      {hasHead
        ? <PageHead title={words.title} description={words.lead} actions={secrets.data && add} />
        : secrets.data && <Buttons>{add}</Buttons>}
      {news && <Banner tone="good" title={news} announce="polite" />}
      <Loaded reading={secrets} skeleton={<Skeleton lines={3} height="row" />}>
        {(secrets) => {
          const rows = rowsOf(secrets, models);
          return rows.length === 0
            ? <EmptyState icon={Box} title={words.emptyTitle}>{words.emptyText}</EmptyState>
            : (
              <Card>
                <ModelTable
                  rows={rows}
                  catalogue={providers.data ?? []}
                  onOpen={setOpen}
                  onWhy={onWhy}
                />
              </Card>
            );
        }}
      </Loaded>
      <OtherModels />
      {open.what === "new" && <NewDialog catalogue={providers.data ?? []} onClose={close} />}
      {open.what === "edit" && (
        <Dialog
          title={open.model.model}
          isOpen
          onOpenChange={(isOpen) => isOpen || close()}
        >
          <ModelKeyForm {...open.model} />
        </Dialog>
      )}
      {open.what === "remove" && (
        <RemoveDialog
          of={open.model}
          onClose={close}
          onDone={() => {
            close();
            setNews(words.removed(open.model.model));
          }}
        />
      )}
    </Frame>
  );
}

/** A model, with its own key where it has one. */
interface ModelRow extends KnownModel {
  secret: ModelSecret | null;
}

function rowsOf(secrets: ModelSecret[], models: KnownModel[]): ModelRow[] {
  const own = secrets.map((secret): ModelRow => ({ provider: secret.provider, model: secret.model, secret }));
  const others = models.filter((it) =>
    !own.some(({ provider, model }) => provider === it.provider && model === it.model)
  );
  return [...own, ...others.map((it): ModelRow => ({ ...it, secret: null }))];
}

interface ModelTableProps {
  rows: ModelRow[];
  catalogue: CatalogueProvider[];
  onOpen: (open: Open) => void;
  onWhy?: (model: KnownModel) => void;
}

function ModelTable({ rows, catalogue, onOpen, onWhy }: ModelTableProps) {
  const { models: words, common } = useMessages();
  const providerOf = (name: string) => catalogue.find((it) => it.name === name);
  const columns: Column<ModelRow>[] = [
    {
      id: "model",
      header: words.model,
      isRowHeader: true,
      cell: ({ provider, model }) => (
        <span className="hftok-model">
          <span className="hftok-code">{model}</span>
          <span className="hftok-faint">{providerOf(provider)?.label ?? provider}</span>
        </span>
      ),
    },
    {
      id: "key",
      header: words.key,
      cell: (row) => {
        if (row.secret) return <Mask>{row.secret.preview}</Mask>;
        const provider = providerOf(row.provider);
        return provider ? <KeyInUse provider={provider} model={row.model} /> : words.usesProviderKey;
      },
    },
    {
      id: "status",
      header: words.status,
      cell: ({ secret }) => secret ? <SecretBadge status={secret.status} /> : <span>–</span>,
    },
    {
      id: "changed",
      header: words.changed,
      cell: ({ secret }) => secret?.updated_at ? <Timestamp at={secret.updated_at} /> : <span>–</span>,
    },
    {
      id: "actions",
      header: common.more,
      isHeaderHidden: true,
      isNarrow: true,
      align: "end",
      cell: (row) => <ModelActions row={row} onOpen={onOpen} onWhy={onWhy} />,
    },
  ];
  return (
    <Table
      caption={words.title}
      columns={columns}
      rows={rows}
      rowKey={(row) => `${row.provider} ${row.model}`}
    />
  );
}

type ModelActionsProps = Pick<ModelTableProps, "onOpen" | "onWhy"> & { row: ModelRow };

function ModelActions({ row: { provider, model, secret }, onOpen, onWhy }: ModelActionsProps) {
  const { models: words, common } = useMessages();
  const of = { provider, model };
  const actions: MenuAction[] = [{
    id: "edit",
    label: secret ? words.replaceOrTest : words.save,
    icon: KeyRound,
    onAction: () => onOpen({ what: "edit", model: of }),
  }];
  if (onWhy) actions.push({ id: "why", label: words.why, icon: CircleHelp, onAction: () => onWhy(of) });
  if (secret) {
    const onAction = () => onOpen({ what: "remove", model: of });
    actions.push({ id: "remove", label: words.remove, icon: Trash2, isDanger: true, onAction });
  }
  return <ActionMenu label={common.moreFor(model)} actions={actions} />;
}

/** Names a model, sees which key it uses, and gives it one of its own. */
function NewDialog({ catalogue, onClose }: { catalogue: CatalogueProvider[]; onClose: () => void }) {
  const { models: words } = useMessages();
  const [provider, setProvider] = useState(
    catalogue.find(({ name }) => name === "openai")?.name ?? catalogue[0]?.name ?? "",
  );
  const [model, setModel] = useState("");
  const named = useSettled(model.trim());
  return (
    <Dialog title={words.add} isOpen onOpenChange={(isOpen) => isOpen || onClose()}>
      <div className="hftok-form">
        <Select
          label={words.provider}
          choices={catalogue.map(({ name, label }) => ({ id: name, label }))}
          value={provider}
          onChange={setProvider}
        />
        <TextField
          label={words.model}
          description={words.modelHint}
          value={model}
          onChange={setModel}
          maxLength={200}
          isCode
          autoFocus
          autoComplete="off"
          spellCheck="false"
        />
        {named === ""
          ? <p className="hftok-hint">{words.nameFirst}</p>
          : <ModelKeyForm provider={provider} model={named} />}
      </div>
    </Dialog>
  );
}

interface RemoveDialogProps {
  of: KnownModel;
  onClose: () => void;
  onDone: () => void;
}

function RemoveDialog({ of, onClose, onDone }: RemoveDialogProps) {
  const { models: words } = useMessages();
  const remove = useDeleteSecret();
  return (
    <ConfirmDialog
      title={words.removeTitle(of.model)}
      body={words.removeText}
      confirmLabel={words.remove}
      isOpen
      onOpenChange={(isOpen) => isOpen || onClose()}
      onConfirm={() => remove.mutate(of, { onSuccess: onDone })}
      isPending={remove.isPending}
      failure={remove.error}
    />
  );
}
