// Where what is known of models is kept on this machine, and how much of it: by the environment, else by the platform's custom.
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { CompError } from "../errors.ts";
import { BYTE_SIZE, parseByteSize } from "../options/prune.ts";

const DEFAULT_SIZE = "4GB";

export interface CachePlace {
  readonly folder: string;
  /** Of all entries. */
  readonly mostBytes: number;
}

/**
 * The place of the cache.
 *
 * @throws {CompError} "option" when COMP_CACHE_SIZE is no size
 */
export function cachePlace(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): CachePlace {
  const size = env.COMP_CACHE_SIZE || DEFAULT_SIZE;
  if (!BYTE_SIZE.test(size))
    throw new CompError("option", `COMP_CACHE_SIZE must be a size such as 500MB or 5GB, got ${size}`);
  return {
    folder: resolve(env.COMP_CACHE || join(platformFolder(env, platform), "comp")),
    mostBytes: parseByteSize(size),
  };
}

/** @see XDG Base Directory Specification; Apple's File System Programming Guide */
function platformFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  const home = homedir();
  if (platform === "darwin") return join(home, "Library", "Caches");
  if (platform === "win32") return env.LOCALAPPDATA || join(home, "AppData", "Local");
  return env.XDG_CACHE_HOME || join(home, ".cache");
}
