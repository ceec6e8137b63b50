// hftok-panel: components for people's credentials, headless hooks beneath, and the provider that both stand in.
import "./style/index.css";

export {
  HftokProvider,
  type HftokProviderProps,
  type Panel,
  type Theme,
  useMessages,
  usePanel,
} from "./connection/provider.tsx";
export { Failure, type FailureFacts } from "./connection/failure.ts";
export {
  type Action,
  type Key,
  type Reading,
  type ReadOptions,
  useAction,
  useRead,
} from "./connection/reads.ts";
export { type Plain, SecretValue } from "./connection/secret_value.ts";
export { type FunctionRequest, type PanelConnection, Vault } from "./connection/vault.ts";
export { loadMessages, type Locale, LOCALES, type Messages, messagesOf } from "./messages/index.ts";
export * from "./primitives/index.ts";

export { type Format, useFormat } from "./hooks/format.ts";
export { decides, type Me, type Membership, useMe } from "./hooks/me.ts";
export { type CatalogueProvider, type ProviderField, useProviders } from "./hooks/providers.ts";
export {
  type OfProvider,
  type SavedSecret,
  type SavingSecret,
  type Secret,
  type SecretStatus,
  type SecretTest,
  type SecretVersion,
  type Use,
  useDeleteSecret,
  useRestoreSecret,
  useSaveSecret,
  useSecret,
  useSecretHistory,
  useSecrets,
  useTestSecret,
  useTokensProvided,
} from "./hooks/secrets.ts";
export {
  type HuggingFaceSecret,
  useDeleteHuggingFaceToken,
  useHuggingFaceToken,
  useSaveHuggingFaceToken,
  useTestHuggingFaceToken,
} from "./hooks/huggingface.ts";

export { HuggingFaceToken, type HuggingFaceTokenProps } from "./huggingface/huggingface_token.tsx";
export { ProviderSecrets, type ProviderSecretsProps } from "./providers/provider_secrets.tsx";
export { SecretBadge, TestBanner, Warnings } from "./secrets/shown.tsx";
export { Organisation, type OrganisationProps } from "./organisation/organisation.tsx";
export { SystemSettings } from "./system/system_settings.tsx";
export { Usage, type UsageProps } from "./usage/usage.tsx";
export { Audit } from "./audit/audit.tsx";
export { type Member, type MemberRole, useAddMember, useMembers, useRemoveMember } from "./hooks/members.ts";
export { type Reader, useReader } from "./hooks/reader.ts";
export { type UsageAsked, type UsageRead, useUsage } from "./hooks/usage.ts";
export {
  type AuditEvent,
  type AuditSearch,
  type Rotation,
  useAuditActivity,
  useAuditEvents,
  useCheckpoint,
  useRotations,
  useVerifyAudit,
  type Verification,
} from "./hooks/audit.ts";
export {
  type ProviderSwitch,
  type SystemTokens,
  useProviderSwitches,
  useSetSystemToken,
  useSwitchProvider,
  useSystemSettings,
  useVaultHealth,
  useVaultStatus,
  type VaultStatus,
} from "./hooks/system.ts";
export {
  type Integration,
  type IntegrationChange,
  type IntegrationTest,
  type NewIntegration,
  useChangeIntegration,
  useCreateIntegration,
  useDeleteIntegration,
  useIntegrations,
  useShareIntegration,
  useTestIntegration,
} from "./hooks/integrations.ts";
export { type ModelSecret, useModelSecrets } from "./hooks/models.ts";
export { type KeyFacts, useWalk, type WalkAnswer, type WalkQuestion } from "./hooks/walk.ts";
export { type Ladder, ladderOf, type Level, type Rung, type WalkReader } from "./walk/ladder.ts";
export { Integrations, type IntegrationsProps } from "./integrations/integrations.tsx";
export { ModelKey, type ModelKeyProps } from "./models/model_key.tsx";
export { type KnownModel, ModelKeys, type ModelKeysProps } from "./models/model_keys.tsx";
export type { LinkTo, WalkPlace } from "./walk/ladder_view.tsx";
export { WhyThisToken, type WhyThisTokenProps } from "./walk/why_this_token.tsx";
