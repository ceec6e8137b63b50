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
export { type Locale, LOCALES, type Messages, messagesOf } from "./messages/index.ts";
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
