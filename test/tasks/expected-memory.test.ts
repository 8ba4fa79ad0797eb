import { describe, expect, test } from "vitest";
import { criteria } from "../../src/importance/index.ts";
import { pruneOptions } from "../../src/method/presets.ts";
import { parseConfig } from "../../src/model/config/parse-config.ts";
import { expectedCost } from "../../src/tasks/expected-memory.ts";
import { readJsonFixture } from "../helpers/fixtures.ts";

const spec = parseConfig(readJsonFixture<Record<string, unknown>>("tiny", "llama", "config.json"));

const expected = (over: object, work: object = {}): ReturnType<typeof expectedCost> => {
  const options = pruneOptions({ widths: "equal", calibration: [{ name: "a", text: "b" }], ...over });
  const criterion = criteria[options.criterion as keyof typeof criteria];
  return expectedCost({ spec, options, writes: true, criterion, ...work });
};
const seconds = (over: object): number => expected(over).expectedSeconds;

describe("what a run is expected to take", () => {
  test.each([
    ["more windows", { samples: 512 }],
    ["text of the model's own", { calibration: [] }],
  ])("is longer with %s", (_, over) => {
    expect(seconds(over)).toBeGreaterThan(seconds({}));
  });

  test.each([
    ["without trials of splits", { layers: 0 }],
    ["without a backward sweep and a second stream", { preset: "osscar" }],
  ])("is shorter %s", (_, over) => {
    expect(seconds(over)).toBeLessThan(seconds({}));
  });

  test("is longer with widths per layer, for which cuts are measured, than with equal ones and no trials", () => {
    expect(seconds({ widths: "per-layer" })).toBeGreaterThan(seconds({ layers: 0 }));
  });

  test("is more memory where a model of many parameters writes its own text", () => {
    const large = { ...spec, vocabSize: 2e6 };
    const bytes = (writes: boolean): number => expected({}, { spec: large, writes }).expectedPeakBytes;
    expect(bytes(true) - bytes(false)).toBeGreaterThan(4 * 32 * 1e6);
  });

  test("is more memory with more windows, until their states are spilled", () => {
    const bytes = (samples: number): number => expected({ samples }).expectedPeakBytes;
    expect(bytes(512)).toBeGreaterThan(bytes(256));
    expect(bytes(65536)).toBe(bytes(60000));
  });
});
