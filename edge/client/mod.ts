// hftok for TypeScript: the types of its schema, a small client, and one class for everything that can fail.
export {
  type Call,
  type Connection,
  type Filter,
  Hftok,
  type Need,
  type Owner,
  type Resolved,
  type Row,
  type Saving,
  type Usage,
  type Verdict,
  type View,
  type Walk,
} from "./client.ts";
export { HftokError, type Kind } from "./error.ts";
export { type Finding, type Reason, sentence } from "./test_answer.ts";
export { type Change, type Due, Integrations, type Status } from "./integrations.ts";
export type { Begun, Verification } from "./verification.ts";
export type { CompositeTypes, Database, Json } from "./schema/database.ts";
export type { Functions } from "./schema/functions.ts";
export type { Views } from "./schema/views.ts";
