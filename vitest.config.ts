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
  },
});
