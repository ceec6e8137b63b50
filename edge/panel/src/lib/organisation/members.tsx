// The members of an organisation: who they are, what they may do, taking in, changing and letting go.
import { type FormEvent, useRef, useState } from "react";
import { LogOut, UserMinus, UserPlus, Users } from "lucide-react";
import type { Failure } from "../connection/failure.ts";
import { useMessages } from "../connection/provider.tsx";
import type { Me } from "../hooks/me.ts";
import { type Member, type MemberRole, useAddMember, useMembers, useRemoveMember } from "../hooks/members.ts";
import {
  Banner,
  Button,
  Buttons,
  Card,
  type Column,
  ConfirmDialog,
  Dialog,
  FailureBanner,
  Loaded,
  Select,
  Skeleton,
  Table,
  TextField,
  Timestamp,
} from "../primitives/index.ts";
import { givenBy, obstacleToChange, obstacleToRemoval } from "./rights.ts";

/** What the parts of the list have. */
interface Part {
  orgId: string;
  me: Me;
}

/** What was done last. */
type Outcome = { kind: "done"; text: string } | { kind: "failed"; failure: Failure };

/** The members of an organisation. */
export function Members({ orgId, me }: Part) {
  const reading = useMembers();
  return (
    <Loaded reading={reading} skeleton={<Skeleton lines={3} height="row" />}>
      {(all) => <MemberList orgId={orgId} me={me} members={all.filter((member) => member.orgId === orgId)} />}
    </Loaded>
  );
}

function MemberList({ orgId, me, members }: Part & { members: Member[] }) {
  const { organisation } = useMessages();
  const [isAdding, setAdding] = useState(false);
  const [leaving, setLeaving] = useState<Member | null>(null);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const change = useAddMember();
  const own = members.find(({ userId }) => userId === me.id)?.role ?? "member";
  const setRole = (member: Member, role: MemberRole) => {
    setOutcome(null);
    change.mutate({ ...member, role }, {
      onSuccess: () =>
        setOutcome({ kind: "done", text: organisation.changed(member.userId, organisation.roles[role]) }),
      onError: (failure) => setOutcome({ kind: "failed", failure }),
    });
  };
  const table = { members, own, me: me.id, isBusy: change.isPending, onRole: setRole, onRemove: setLeaving };
  return (
    <>
      {own === "member" && <Banner tone="info" title={organisation.readOnly} />}
      {outcome?.kind === "done" && <Banner tone="good" title={outcome.text} announce="polite" />}
      {outcome?.kind === "failed" && <FailureBanner failure={outcome.failure} />}
      <Card
        icon={Users}
        title={organisation.members}
        description={organisation.count(members.length)}
        actions={own !== "member" && (
          <Button
            variant="primary"
            icon={UserPlus}
            onPress={() => setAdding(true)}
          >
            {organisation.add}
          </Button>
        )}
      >
        <Table
          caption={organisation.members}
          columns={useColumns(table)}
          rows={members}
          rowKey={({ userId }) => userId}
        />
      </Card>
      <Dialog title={organisation.addTitle(orgId)} isOpen={isAdding} onOpenChange={setAdding}>
        <NewMember
          orgId={orgId}
          own={own}
          onDone={(person) => {
            setAdding(false);
            setOutcome({ kind: "done", text: organisation.added(person) });
          }}
          onCancel={() => setAdding(false)}
        />
      </Dialog>
      <Removal member={leaving} me={me.id} onClose={() => setLeaving(null)} onOutcome={setOutcome} />
    </>
  );
}

/** What the columns need. */
interface Rows {
  members: Member[];
  own: MemberRole;
  me: string;
  isBusy: boolean;
  onRole: (member: Member, role: MemberRole) => void;
  onRemove: (member: Member) => void;
}

function useColumns(rows: Rows): Column<Member>[] {
  const { common, organisation } = useMessages();
  return [
    {
      id: "person",
      header: organisation.person,
      isRowHeader: true,
      cell: (member) => <Person member={member} isMe={member.userId === rows.me} />,
    },
    { id: "role", header: organisation.role, cell: (member) => <Role member={member} {...rows} /> },
    {
      id: "since",
      header: organisation.since,
      cell: ({ since }) => since ? <Timestamp at={since} /> : common.never,
    },
    {
      id: "actions",
      header: organisation.actions,
      isHeaderHidden: true,
      isNarrow: true,
      align: "end",
      cell: (member) => <RemovalButton member={member} {...rows} />,
    },
  ];
}

/** The role, to be changed where that is allowed. */
function Role({ member, members, own, isBusy, onRole }: Rows & { member: Member }) {
  const { organisation } = useMessages();
  const obstacle = obstacleToChange(member, members, own);
  // What cannot be changed is a word, and not a field that is greyed out.
  if (obstacle !== null) {
    const reasons = {
      owners_only: organisation.ownersOnly,
      last_owner: organisation.lastOwner,
      not_theirs: null,
    };
    return (
      <span className="hftok-two-lines">
        <span>{organisation.roles[member.role]}</span>
        {reasons[obstacle] && <span className="hftok-faint">{reasons[obstacle]}</span>}
      </span>
    );
  }
  return (
    <span className="hftok-cell-role">
      <Select
        label={organisation.roleOf(member.userId)}
        isLabelHidden
        isDisabled={isBusy}
        choices={givenBy(own).map((id) => ({
          id,
          label: organisation.roles[id],
          description: organisation.rights[id],
        }))}
        value={member.role}
        onChange={(role) => role !== member.role && onRole(member, role)}
      />
    </span>
  );
}

/** Ends a membership, or one's own; not there where that is not allowed. */
function RemovalButton({ member, members, own, me, onRemove }: Rows & { member: Member }) {
  const { organisation } = useMessages();
  if (obstacleToRemoval(member, members, own, me) !== null) return null;
  const isMe = member.userId === me;
  return (
    <Button
      variant="quiet"
      size="small"
      icon={isMe ? LogOut : UserMinus}
      aria-label={isMe ? organisation.leave : organisation.removePerson(member.userId)}
      onPress={() => onRemove(member)}
    >
      {isMe ? organisation.leave : organisation.remove}
    </Button>
  );
}

function Person({ member: { userId }, isMe }: { member: Member; isMe: boolean }) {
  const { organisation } = useMessages();
  return (
    <span className="hftok-person">
      <span aria-hidden className="hftok-initial">{[...userId.replace(/^role:/, "")][0] ?? "?"}</span>
      <span>{userId}</span>
      {isMe && <span className="hftok-tag">{organisation.you}</span>}
    </span>
  );
}

/** The form for a new member. */
function NewMember(
  { orgId, own, onDone, onCancel }: {
    orgId: string;
    own: MemberRole;
    onDone: (person: string) => void;
    onCancel: () => void;
  },
) {
  const { common, organisation } = useMessages();
  const add = useAddMember();
  const [person, setPerson] = useState("");
  const [role, setRole] = useState<MemberRole>("member");
  const [isMissing, setMissing] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const userId = person.trim();
    setMissing(userId === "");
    if (userId !== "") add.mutate({ orgId, userId, role }, { onSuccess: () => onDone(userId) });
  };
  return (
    <form className="hftok-form" onSubmit={submit} noValidate>
      <TextField
        label={organisation.personId}
        description={organisation.addHelp}
        error={isMissing ? organisation.personMissing : undefined}
        value={person}
        onChange={setPerson}
        autoComplete="off"
        isRequired
        autoFocus
      />
      <Select
        label={organisation.role}
        choices={givenBy(own).map((id) => ({
          id,
          label: organisation.roles[id],
          description: organisation.rights[id],
        }))}
        value={role}
        onChange={setRole}
      />
      {add.error && <FailureBanner failure={add.error} />}
      <Buttons>
        <Button onPress={onCancel} isDisabled={add.isPending}>{common.cancel}</Button>
        <Button type="submit" variant="primary" isPending={add.isPending}>{common.add}</Button>
      </Buttons>
    </form>
  );
}

/** Asks before a membership ends. */
function Removal(
  { member, me, onClose, onOutcome }: {
    member: Member | null;
    me: string;
    onClose: () => void;
    onOutcome: (outcome: Outcome) => void;
  },
) {
  const { organisation } = useMessages();
  const remove = useRemoveMember();
  // What the dialog asked stays while it fades out.
  const asked = useRef(member);
  if (member !== null) asked.current = member;
  const { userId, orgId } = asked.current ?? { userId: "", orgId: "" };
  const isMe = userId === me;
  return (
    <ConfirmDialog
      title={isMe ? organisation.leaveTitle(orgId) : organisation.removeTitle(userId)}
      body={isMe ? organisation.leaveHelp(orgId) : organisation.removeHelp(orgId)}
      confirmLabel={isMe ? organisation.leave : organisation.remove}
      isOpen={member !== null}
      onOpenChange={(isOpen) => {
        if (isOpen) return;
        remove.reset();
        onClose();
      }}
      onConfirm={() =>
        remove.mutate({ orgId, userId }, {
          onSuccess: () => {
            onClose();
            onOutcome({ kind: "done", text: organisation.removed(userId) });
          },
        })}
      isPending={remove.isPending}
      failure={remove.error}
    />
  );
}
