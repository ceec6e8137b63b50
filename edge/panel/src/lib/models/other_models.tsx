// What every other model uses: the provider's key, at a glance.
import { useMessages } from "../connection/provider.tsx";
import { useSecrets } from "../hooks/secrets.ts";
import { Card, Loaded, Mask, Skeleton } from "../primitives/index.ts";
import { ProviderMark } from "../integrations/provider_mark.tsx";
import { SecretBadge } from "../secrets/shown.tsx";

/** The reader's keys that serve all models of a provider. */
export function OtherModels() {
  const { models: words } = useMessages();
  const secrets = useSecrets();
  return (
    <Card title={words.others} description={words.othersText}>
      <Loaded reading={secrets} skeleton={<Skeleton lines={2} height="row" />}>
        {(secrets) => {
          const own = secrets.filter(({ configured }) => configured);
          if (own.length === 0) return <p className="hftok-muted">{words.othersNone}</p>;
          return (
            <ul className="hftok-other-models">
              {own.map(({ provider, label, preview, status }) => (
                <li key={provider}>
                  <ProviderMark label={label} />
                  <span className="hftok-other-model">
                    <span>{label}</span>
                    {preview && <Mask>{preview}</Mask>}
                  </span>
                  {status && <SecretBadge status={status} />}
                </li>
              ))}
            </ul>
          );
        }}
      </Loaded>
    </Card>
  );
}
