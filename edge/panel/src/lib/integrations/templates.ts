// Templates of integrations: what people most often connect to, with the settings that it takes, as data. What a credential of
// each type consists of is not here: the catalogue says it.
//
// Must stay true: a setting has no value that can be a credential, and an address is one of the provider's own.

/** A setting that a template proposes. */
export interface Preset {
  /** The name that it has in the integration's config. */
  name: string;
  /** The value to begin with; empty where only the person can know. */
  value: string;
  /** Values to choose from; any other can be typed. */
  choices?: readonly string[];
}

/** What kind of thing it connects to: the heading that it stands under. */
export type Group = "models" | "clouds" | "tools";

/** A template. */
export interface Template {
  id: string;
  /** The provider of the catalogue. */
  type: string;
  group: Group;
  presets: readonly Preset[];
}

const AWS_REGIONS = [
  "us-east-1",
  "us-east-2",
  "us-west-2",
  "ca-central-1",
  "eu-central-1",
  "eu-west-1",
  "eu-west-3",
  "eu-south-2",
  "ap-northeast-1",
  "ap-south-1",
  "ap-southeast-2",
  "sa-east-1",
] as const;
const AZURE_LOCATIONS = [
  "eastus",
  "eastus2",
  "westeurope",
  "swedencentral",
  "spaincentral",
  "brazilsouth",
] as const;
const GOOGLE_LOCATIONS = [
  "global",
  "us-central1",
  "europe-west1",
  "europe-west4",
  "europe-southwest1",
  "southamerica-east1",
] as const;

function region(value: string, choices: readonly string[], name = "region"): Preset {
  return { name, value, choices };
}

function address(value: string): Preset {
  return { name: "base_url", value };
}

const KNOWN = [
  { id: "openai", type: "openai", group: "models", presets: [address("https://api.openai.com/v1")] },
  {
    id: "anthropic",
    type: "anthropic",
    group: "models",
    presets: [address("https://api.anthropic.com"), { name: "anthropic_version", value: "2023-06-01" }],
  },
  {
    id: "huggingface",
    type: "huggingface",
    group: "models",
    presets: [address("https://router.huggingface.co/v1")],
  },
  {
    id: "google",
    type: "google",
    group: "models",
    presets: [address("https://generativelanguage.googleapis.com/v1beta")],
  },
  {
    id: "azure_openai",
    type: "azure_openai",
    group: "models",
    presets: [{ name: "deployment", value: "" }, { name: "api_version", value: "2024-10-21" }],
  },
  { id: "bedrock", type: "bedrock", group: "models", presets: [region("us-east-1", AWS_REGIONS)] },
  {
    id: "google_cloud",
    type: "google_cloud",
    group: "clouds",
    presets: [region("global", GOOGLE_LOCATIONS, "location")],
  },
  { id: "aws", type: "aws", group: "clouds", presets: [] },
  {
    id: "azure",
    type: "azure",
    group: "clouds",
    presets: [region("westeurope", AZURE_LOCATIONS, "location")],
  },
  { id: "runpod", type: "runpod", group: "clouds", presets: [] },
  {
    id: "github",
    type: "github",
    group: "tools",
    presets: [address("https://api.github.com"), { name: "owner", value: "" }],
  },
  { id: "custom", type: "custom", group: "tools", presets: [{ name: "base_url", value: "" }] },
] as const satisfies readonly Template[];

/** The templates whose words are in the messages, by their id. */
export type TemplateId = typeof KNOWN[number]["id"];

/**
 * The templates for providers, by their names: those that have words first, in their order, and then one for each further provider, an
 * operator's own included.
 */
export function templatesFor(names: readonly string[]): Template[] {
  const known: Template[] = KNOWN.filter(({ type }) => names.includes(type));
  const further = names.filter((name) => !KNOWN.some(({ type }) => type === name));
  const made = further.map((name): Template => ({ id: name, type: name, group: "models", presets: [] }));
  const last = known.filter(({ id }) => id === "custom");
  return [...known.filter(({ id }) => id !== "custom"), ...made, ...last];
}

/** Whether a template has words of its own. */
export function hasWords(id: string): id is TemplateId {
  return KNOWN.some((template) => template.id === id);
}
