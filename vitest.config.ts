import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", "./test/helpers/closing-line-reporter.ts"],
    testTimeout: 60_000,
    // each worker may hold a model; two keep a small machine responsive
    maxWorkers: 2,
  },
});
