// Why this token? The person chooses a request, and sees which key it would use, and why.
import { useState } from "react";
import { RefreshCw } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { type Me, useMe } from "../hooks/me.ts";
import { type CatalogueProvider, useProviders } from "../hooks/providers.ts";
import { useSettled } from "../hooks/settled.ts";
import { useWalk, usualOrg, type WalkAnswer, type WalkQuestion } from "../hooks/walk.ts";
import { Button, Card, Frame, Loaded, PageHead, Select, Skeleton, TextField } from "../primitives/index.ts";
import { hostsOf } from "./hosts.ts";
import { ladderOf } from "./ladder.ts";
import { LadderList, type LinkTo, WalkEnd } from "./ladder_view.tsx";

/** The props of the component. */
export interface WhyThisTokenProps {
  /** The request to begin with: the first provider of the catalogue, and the only organisation where there is one. */
  provider?: string;
  orgId?: string;
  model?: string;
  /** The address of the page where something can be done about a level. */
  linkTo?: LinkTo;
  /** False within a page that has a head of its own. */
  hasHead?: boolean;
}

/** The request as it stands in the form; an empty text is nothing. */
interface Form {
  provider: string;
  orgId: string;
  model: string;
  host: string;
}

/** Shows which credential a request of the reader would use, level by level. */
export function WhyThisToken({ hasHead = true, ...props }: WhyThisTokenProps) {
  const { why } = useMessages();
  const providers = useProviders();
  const me = useMe();
  return (
    <Frame>
      {hasHead && <PageHead title={why.title} description={why.lead} />}
      <Loaded reading={providers} skeleton={<Waiting />}>
        {(catalogue) => (
          <Loaded reading={me} skeleton={<Waiting />}>
            {(reader) => <Walk {...props} catalogue={catalogue} me={reader} />}
          </Loaded>
        )}
      </Loaded>
    </Frame>
  );
}

function Walk(
  { catalogue, me, linkTo, ...given }: WhyThisTokenProps & { catalogue: CatalogueProvider[]; me: Me },
) {
  const { why } = useMessages();
  const [form, setForm] = useState(() => first(given, catalogue, me));
  const model = useSettled(form.model.trim());
  const question: WalkQuestion = {
    provider: form.provider,
    orgId: form.orgId || undefined,
    model: model || undefined,
    host: form.host || undefined,
  };
  const walk = useWalk(question);
  return (
    <div className="hftok-why">
      <div className="hftok-why-request">
        <Card title={why.request}>
          <RequestForm form={form} onChange={setForm} catalogue={catalogue} me={me} />
          <Button
            icon={RefreshCw}
            onPress={() => void walk.refetch()}
            isPending={walk.isFetching && !walk.isPending}
          >
            {why.refresh}
          </Button>
        </Card>
      </div>
      <div className="hftok-why-walk">
        <Loaded reading={walk} skeleton={<Skeleton lines={7} height="row" />}>
          {(answer) => <Answer answer={answer} question={question} me={me} linkTo={linkTo} />}
        </Loaded>
      </div>
    </div>
  );
}

function Answer(
  { answer, question, me, linkTo }: { answer: WalkAnswer; question: WalkQuestion; me: Me; linkTo?: LinkTo },
) {
  const orgRole = me.memberships.find(({ orgId }) => orgId === question.orgId)?.role ?? null;
  const reader = { orgRole, isAdministrator: me.isAdministrator };
  const ladder = ladderOf(answer.rows, answer.provided, question, reader);
  const shown = { ladder, request: question, keys: answer.keys, linkTo };
  return (
    <>
      <WalkEnd {...shown} />
      <LadderList {...shown} />
    </>
  );
}

interface RequestFormProps {
  form: Form;
  onChange: (form: Form) => void;
  catalogue: CatalogueProvider[];
  me: Me;
}

function RequestForm({ form, onChange, catalogue, me }: RequestFormProps) {
  const { why } = useMessages();
  const hosts = hostsOf(catalogue.find(({ name }) => name === form.provider));
  const change = (part: Partial<Form>) => onChange({ ...form, ...part });
  const none = { id: "", label: why.noOrg };
  return (
    <div className="hftok-fields">
      <Select
        label={why.provider}
        choices={catalogue.map(({ name, label }) => ({ id: name, label }))}
        value={form.provider}
        onChange={(provider) =>
          change({
            provider,
            host: hostsOf(catalogue.find(({ name }) => name === provider))[0] ?? "",
          })}
      />
      {me.memberships.length > 0 && (
        <Select
          label={why.org}
          choices={[none, ...me.memberships.map(({ orgId }) => ({ id: orgId, label: orgId }))]}
          value={form.orgId}
          onChange={(orgId) => change({ orgId })}
        />
      )}
      <TextField
        label={why.model}
        description={why.modelHint}
        value={form.model}
        onChange={(model) => change({ model })}
        isCode
        maxLength={200}
        autoComplete="off"
        spellCheck="false"
      />
      {hosts.length > 1 && (
        <Select
          label={why.host}
          description={why.hostHint}
          choices={hosts.map((host) => ({ id: host, label: host }))}
          value={form.host}
          onChange={(host) => change({ host })}
        />
      )}
    </div>
  );
}

function Waiting() {
  return (
    <div className="hftok-why">
      <div className="hftok-why-request">
        <Skeleton lines={4} height="field" />
      </div>
      <div className="hftok-why-walk">
        <Skeleton lines={7} height="row" />
      </div>
    </div>
  );
}

function first(given: WhyThisTokenProps, catalogue: CatalogueProvider[], me: Me): Form {
  const wanted = catalogue.find(({ name }) => name === (given.provider ?? "huggingface")) ?? catalogue[0];
  const provider = wanted?.name ?? "";
  const orgId = given.orgId ?? usualOrg(me) ?? "";
  return { provider, orgId, model: given.model ?? "", host: hostsOf(wanted)[0] ?? "" };
}
