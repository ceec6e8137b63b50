// The page for an organisation: its members, its tokens, its usage. For its owners and admins; its other members see who belongs to it.
import { useState } from "react";
import { Building2 } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { decides, type Me, useMe } from "../hooks/me.ts";
import { EmptyState, Frame, Loaded, PageHead, Select, Skeleton, Tabs } from "../primitives/index.ts";
import { ProviderSecrets } from "../providers/provider_secrets.tsx";
import { Members } from "./members.tsx";
import { UsageOf } from "../usage/usage.tsx";

/** The props of Organisation. */
export interface OrganisationProps {
  /** Which; the one to see is chosen from those that the person belongs to when not given. */
  orgId?: string;
}

/** Members, tokens and usage of an organisation. */
export function Organisation({ orgId }: OrganisationProps) {
  return (
    <Frame>
      <Loaded reading={useMe()} skeleton={<OrganisationSkeleton />}>
        {(me) => <OrganisationOf me={me} orgId={orgId} />}
      </Loaded>
    </Frame>
  );
}

function OrganisationSkeleton() {
  const { organisation } = useMessages();
  return (
    <>
      <PageHead title={organisation.title} description={organisation.intro} />
      <Skeleton lines={3} height="row" />
    </>
  );
}

function OrganisationOf({ me, orgId }: { me: Me; orgId?: string }) {
  const { organisation } = useMessages();
  // Those that the person looks after come first.
  const orgs = [...me.memberships].sort((a, b) => Number(a.role === "member") - Number(b.role === "member"));
  const [chosen, setChosen] = useState<string | null>(null);
  const shown = orgs.find((it) => it.orgId === (orgId ?? chosen)) ??
    (orgId === undefined ? orgs[0] : undefined);
  if (shown === undefined) {
    return (
      <>
        <PageHead title={organisation.title} description={organisation.intro} />
        <EmptyState icon={Building2} title={organisation.none}>{organisation.noneHelp}</EmptyState>
      </>
    );
  }
  const choices = orgs.map(({ orgId, role }) => ({
    id: orgId,
    label: orgId,
    description: organisation.roles[role],
  }));
  return (
    <>
      <PageHead
        title={shown.orgId}
        description={organisation.intro}
        actions={orgId === undefined && orgs.length > 1 && (
          <Select
            label={organisation.choose}
            isLabelHidden
            choices={choices}
            value={shown.orgId}
            onChange={setChosen}
          />
        )}
      />
      <Views key={shown.orgId} me={me} orgId={shown.orgId} />
    </>
  );
}

function Views({ me, orgId }: { me: Me; orgId: string }) {
  const { organisation } = useMessages();
  const members = <Members orgId={orgId} me={me} />;
  if (!decides(me, orgId)) return members;
  return (
    <Tabs
      label={organisation.title}
      tabs={[
        { id: "members", label: organisation.members, content: members },
        {
          id: "tokens",
          label: organisation.tokens,
          content: <ProviderSecrets hasHead={false} orgId={orgId} />,
        },
        {
          id: "usage",
          label: organisation.usage,
          content: (
            <div className="hftok-stack">
              <UsageOf orgId={orgId} />
            </div>
          ),
        },
      ]}
    />
  );
}
