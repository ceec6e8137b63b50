// Supabase's clients, for tests that lie in other folders than the packages do.
export { PostgrestClient } from "@supabase/postgrest-js";
export { createClient } from "@supabase/supabase-js";
// The SDK that people ask models with.
export { APIError, OpenAI, toFile } from "openai";
