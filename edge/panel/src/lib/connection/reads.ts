// Reading and acting, with what every hook of the panel has in common.
//
// Must stay true:
// - The cache is the provider's own and not that of the application around it, so that neither sees the other's.
// - What an action was called with is not kept beyond it, and an action is never repeated by itself.
import {
  QueryClient,
  useMutation,
  type UseMutationResult,
  useQuery,
  type UseQueryResult,
} from "@tanstack/react-query";
import { usePanel } from "./provider.tsx";
import { Failure } from "./failure.ts";
import type { Vault } from "./vault.ts";

/** What a reading is known by: the name of what is read, and what it depends on. */
export type Key = readonly (string | number | boolean | null | undefined)[];
/** The state of a reading: `data`, `error`, `isPending`, `refetch`, … */
export type Reading<Data> = UseQueryResult<Data, Failure>;
/** The state of an action: `mutate`, `mutateAsync`, `isPending`, `error`, `data`, `reset`. */
export type Action<Answer, Asked = void> = UseMutationResult<Answer, Failure, Asked>;

/** Beyond what is read. */
export interface ReadOptions<Data> {
  enabled?: boolean;
  /** Milliseconds until it is read again, as long as this says so of what was read; never when not given. */
  again?: (data: Data) => number | false;
}

/** The time after which a page looks again whether an operator has unsealed the vault. */
const SEALED_MS = 10_000;

/** A cache for one person. */
export function makeQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      // What is not reached says so at once: a browser does not know of servers beside it, and an action that waits for the network would
      // keep its value, and be sent when nobody expects it any more.
      queries: {
        networkMode: "always",
        staleTime: 15_000,
        retry: (count, error) => count < 2 && error instanceof Failure && error.passes,
      },
      mutations: { networkMode: "always", retry: false, gcTime: 0 },
    },
  });
}

/** Reads something of hftok. */
export function useRead<Data>(
  key: Key,
  read: (vault: Vault, signal: AbortSignal) => Promise<Data>,
  { enabled = true, again }: ReadOptions<Data> = {},
): Reading<Data> {
  const { queries, vault } = usePanel();
  return useQuery<Data, Failure>({
    queryKey: key,
    enabled,
    queryFn: ({ signal }) => failing(read(vault, signal), signal),
    refetchInterval: ({ state: { data, error } }) => {
      if (error?.code === "sealed") return SEALED_MS;
      return data === undefined ? false : again?.(data) ?? false;
    },
  }, queries);
}

/** Does something; afterwards everything whose key begins with one of these names is read again. */
export function useAction<Answer, Asked = void>(
  act: (vault: Vault, asked: Asked) => Promise<Answer>,
  ...changes: string[]
): Action<Answer, Asked> {
  const { queries, vault } = usePanel();
  return useMutation<Answer, Failure, Asked>({
    mutationFn: (asked) => failing(act(vault, asked)),
    onSettled: async () => {
      await Promise.all(changes.map((name) => queries.invalidateQueries({ queryKey: [name] })));
    },
  }, queries);
}

async function failing<Answer>(call: Promise<Answer>, signal?: AbortSignal): Promise<Answer> {
  try {
    return await call;
  } catch (error) {
    throw signal?.aborted ? error : Failure.of(error);
  }
}
