import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { cachePlace } from "../../src/node/cache-place.ts";

const home = homedir();

test.each<[NodeJS.Platform, NodeJS.ProcessEnv, string]>([
  ["linux", {}, join(home, ".cache", "comp")],
  ["linux", { XDG_CACHE_HOME: "/var/cache" }, join("/var/cache", "comp")],
  ["freebsd", {}, join(home, ".cache", "comp")],
  ["darwin", { XDG_CACHE_HOME: "/var/cache" }, join(home, "Library", "Caches", "comp")],
  ["win32", { LOCALAPPDATA: "/local" }, join("/local", "comp")],
  ["win32", {}, join(home, "AppData", "Local", "comp")],
  ["linux", { COMP_CACHE: "/mine", XDG_CACHE_HOME: "/var/cache" }, "/mine"],
  ["linux", { COMP_CACHE: "" }, join(home, ".cache", "comp")],
])("on %s with %o the cache is %s, of 4 GB", (platform, env, folder) => {
  expect(cachePlace(env, platform)).toEqual({ folder: resolve(folder), mostBytes: 4e9 });
});

test("its size is that of the environment, and has to be one", () => {
  expect(cachePlace({ COMP_CACHE_SIZE: "500MB" }).mostBytes).toBe(5e8);
  expect(() => cachePlace({ COMP_CACHE_SIZE: "large" })).toThrow(
    "COMP_CACHE_SIZE must be a size such as 500MB or 5GB, got large",
  );
});
