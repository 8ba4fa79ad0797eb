import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", "./test/helpers/closing-line-reporter.ts"],
    // ends what hangs; a machine that is slow or busy is no failure
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // each worker may hold a model; two keep a small machine responsive
    maxWorkers: 2,
    // tests leave the user's cache alone and know nothing of each other; those of the cache make their own
    env: { COMP_CACHE_SIZE: "0B" },
  },
});
