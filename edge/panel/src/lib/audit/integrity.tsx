// Whether the log is whole: its newest checkpoint, to be kept elsewhere, and verifying all of it, also against one that was kept.
import { type FormEvent, useState } from "react";
import { Check, Copy, ShieldCheck } from "lucide-react";
import { useMessages } from "../connection/provider.tsx";
import { useCheckpoint, useVerifyAudit, type Verification } from "../hooks/audit.ts";
import { useFormat } from "../hooks/format.ts";
import {
  Banner,
  Button,
  Buttons,
  Card,
  Dialog,
  Facts,
  FailureBanner,
  Loaded,
  Mask,
  Skeleton,
  TextField,
} from "../primitives/index.ts";
import { checkpointOf } from "./checkpoint.ts";

/** The card about the log as a whole. */
export function Integrity() {
  const { audit } = useMessages();
  const [isComparing, setComparing] = useState(false);
  const verify = useVerifyAudit();
  return (
    <Card
      icon={ShieldCheck}
      title={audit.integrity}
      description={audit.integrityHelp}
      footer={
        <Buttons align="start">
          <Button
            variant="primary"
            icon={ShieldCheck}
            isPending={verify.isPending}
            onPress={() => verify.mutate({})}
          >
            {audit.verify}
          </Button>
          <Button onPress={() => setComparing(true)} isDisabled={verify.isPending}>{audit.compare}</Button>
        </Buttons>
      }
    >
      <div className="hftok-checkpoint">
        <Loaded reading={useCheckpoint()} skeleton={<Skeleton lines={4} />}>
          {({ head, publicKey }) => <Newest head={head} publicKey={publicKey} />}
        </Loaded>
      </div>
      {verify.error && <FailureBanner failure={verify.error} />}
      {verify.data && !verify.isPending && (
        <Verified verification={verify.data} isCompared={verify.variables?.head !== undefined} />
      )}
      <Dialog title={audit.verifyWith} isOpen={isComparing} onOpenChange={setComparing}>
        <Comparison
          onCancel={() => setComparing(false)}
          onCompare={(head) => {
            setComparing(false);
            verify.mutate({ head });
          }}
        />
      </Dialog>
    </Card>
  );
}

function Comparison({ onCancel, onCompare }: { onCancel: () => void; onCompare: (head: string) => void }) {
  const { audit, common } = useMessages();
  const [kept, setKept] = useState("");
  const [isBad, setBad] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const isOne = checkpointOf(kept.trim()) !== undefined;
    setBad(!isOne);
    if (isOne) onCompare(kept.trim());
  };
  return (
    <form className="hftok-form" onSubmit={submit} noValidate>
      <TextField
        label={audit.keptCheckpoint}
        description={audit.verifyWithHelp}
        error={isBad ? audit.keptMissing : undefined}
        isMultiline
        isCode
        value={kept}
        onChange={setKept}
        spellCheck="false"
        autoFocus
      />
      <Buttons>
        <Button onPress={onCancel}>{common.cancel}</Button>
        <Button type="submit" variant="primary" icon={ShieldCheck}>{audit.verify}</Button>
      </Buttons>
    </form>
  );
}

function Newest({ head, publicKey }: { head: string | null; publicKey: string | null }) {
  const { audit } = useMessages();
  const format = useFormat();
  const checkpoint = head === null ? undefined : checkpointOf(head);
  if (head === null || checkpoint === undefined) return <p className="hftok-muted">{audit.noCheckpoint}</p>;
  return (
    <>
      <Facts
        facts={[
          { name: audit.checkpoint, value: audit.events(format.number(checkpoint.size)) },
          { name: audit.root, value: <Mask>{checkpoint.root}</Mask> },
          { name: audit.log, value: <Mask>{checkpoint.origin}</Mask> },
        ]}
      />
      <Buttons align="start">
        <CopyButton text={head} label={audit.copyCheckpoint} />
        {publicKey !== null && <CopyButton text={publicKey} label={audit.copyKey} />}
      </Buttons>
    </>
  );
}

/** Copies a text that is no secret. */
function CopyButton({ text, label }: { text: string; label: string }) {
  const { audit } = useMessages();
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return (
    <>
      <Button size="small" icon={isCopied ? Check : Copy} onPress={() => void copy()}>{label}</Button>
      <span role="status" className="hftok-hidden">{isCopied ? audit.copied : ""}</span>
    </>
  );
}

function Verified({ verification, isCompared }: { verification: Verification; isCompared: boolean }) {
  const { audit } = useMessages();
  const format = useFormat();
  const { ok, checked, first_bad, reason, unprotected } = verification;
  if (ok === null) return <Banner tone="info" title={audit.nothingToVerify} announce="polite" />;
  const doubted = unprotected ? <p>{audit.unprotected(format.number(unprotected))}</p> : null;
  if (!ok) {
    return (
      <Banner
        tone="bad"
        title={first_bad === null ? audit.badLog : audit.bad(format.number(first_bad))}
        announce="assertive"
      >
        {reason && <p lang="en">{reason}</p>}
        <p>{audit.badHelp}</p>
        {doubted}
      </Banner>
    );
  }
  return (
    <Banner
      tone={unprotected ? "warning" : "good"}
      title={audit.verified(format.number(checked ?? 0))}
      announce="polite"
    >
      <p>{isCompared ? audit.verifiedWithHelp : audit.verifiedHelp}</p>
      {reason && <p lang="en">{reason}</p>}
      {doubted}
    </Banner>
  );
}
