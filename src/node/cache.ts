// The cache of this machine, for who wants to see or clear it.
import type { CacheContents } from "../events/cache.ts";
import { emptyCache, listCache } from "./cache-folder.ts";
import { cachePlace } from "./cache-place.ts";

/** Shows what is kept of models that were looked at. @throws {CompError} "option" when COMP_CACHE_SIZE is no size */
export const inspectCache = (): Promise<CacheContents> => listCache(cachePlace());

/**
 * Removes all that is kept; runs that go on meanwhile compute it anew.
 *
 * @returns what there was
 * @throws {CompError} "output" when the folder does not let go of it
 */
export async function clearCache(): Promise<CacheContents> {
  const place = cachePlace();
  const contents = await listCache(place);
  await emptyCache(place);
  return contents;
}
