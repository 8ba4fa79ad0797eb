import { describe, expect, expectTypeOf, test } from "vitest";
import { CompError } from "../../src/errors.ts";
import { pruneOptions } from "../../src/method/presets.ts";
import { parseByteSize } from "../../src/options/byte-size.ts";
import { EvalOptions } from "../../src/options/eval.ts";
import { GenerateOptions } from "../../src/options/generate.ts";
import { PruneOptions } from "../../src/options/prune.ts";
import { parseOptions } from "../../src/options/schema.ts";

describe("defaults", () => {
  test("one dial suffices to prune", () => {
    expect(pruneOptions({ sparsity: 0.3 })).toEqual({
      sparsity: 0.3,
      sparsityOf: "all",
      preset: "best",
      criterion: "loss",
      widths: "auto",
      allocation: "even",
      spare: [0, 0],
      recovery: "dense-target",
      layers: "auto",
      heads: "auto",
      kvGroups: "auto",
      calibration: [],
      ownText: 0.5,
      context: 256,
      seed: 0,
      dtype: "auto",
      maxShardSize: "5GB",
      ridge: 0.001,
      dryRun: false,
    });
  });

  test("evaluation takes 16 windows of 512 tokens, generation is greedy", () => {
    expect(parseOptions<EvalOptions>(EvalOptions, {})).toEqual({ context: 512, windows: 16, bos: false });
    expect(parseOptions<GenerateOptions>(GenerateOptions, {})).toMatchObject({ maxTokens: 64, temperature: 0 });
  });

  test("the checked options have the declared type", () => {
    expectTypeOf(pruneOptions({}).layers).toEqualTypeOf<"auto" | "half" | "only" | number | number[]>();
  });
});

describe("refusals in plain words", () => {
  test.each([
    [{ sparsity: 1.5 }, "sparsity must be between 0 and 0.95, got 1.5"],
    [{ samples: 2.5 }, "samples must be a whole number between 1 and 65536, got 2.5"],
    [
      { criterion: "fisher" },
      "criterion must be one of loss, obs, condition, wanda, fluctuation, taylor, magnitude, random, got fisher",
    ],
    [{ layers: "some" }, "layers must be auto, half, only, a number of layers, or indices such as 7,8, got some"],
    [{ maxShardSize: "large" }, "maxShardSize must be a size such as 500MB or 5GB, got large"],
    [{ dryRun: "yes" }, "dryRun must be a boolean, got yes"],
    [{ sparcity: 0.2 }, "there is no option sparcity"],
  ])("%j: %s", (input, message) => {
    expect(() => parseOptions(PruneOptions, input)).toThrow(new CompError("option", message));
  });
});

test.each([
  ["5GB", 5e9],
  ["500 MB", 5e8],
  ["1.5kb", 1500],
  ["64B", 64],
])("%s is %d bytes", (text, bytes) => expect(parseByteSize(text)).toBe(bytes));
