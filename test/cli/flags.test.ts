import { describe, expect, test } from "vitest";
import * as z from "zod";
import { parseFlags, renderFlags } from "../../src/cli/flags.ts";
import { CompError } from "../../src/errors.ts";

const schema: z.ZodObject = z.strictObject({
  sparsity: z.number().min(0).max(0.95).default(0.2).describe("fraction to remove"),
  maxShardSize: z.string().default("5GB").describe("largest file"),
  layers: z
    .union([z.literal("auto"), z.int(), z.array(z.int())])
    .default("auto")
    .describe("layers to remove"),
  sizes: z.array(z.number()).optional().describe("sizes"),
  calibration: z.array(z.string()).default([]).describe("texts").meta({ value: "FILE" }),
  output: z.string().optional().describe("folder").meta({ short: "o", fallback: "beside" }),
  mode: z.enum(["fast", "exact"]).default("fast").describe("how"),
  dryRun: z.boolean().default(false).describe("plan only"),
});

const defaults = {
  sparsity: 0.2,
  maxShardSize: "5GB",
  layers: "auto",
  calibration: [],
  mode: "fast",
  dryRun: false,
};

describe("argv becomes options", () => {
  test.each<[string, object, string[]?]>([
    ["", {}],
    ["model --sparsity 0.5", { sparsity: 0.5 }, ["model"]],
    ["--sparsity=.5 model", { sparsity: 0.5 }, ["model"]],
    ["--max-shard-size 1GB", { maxShardSize: "1GB" }],
    ["--layers 3", { layers: 3 }],
    ["--layers 3,", { layers: [3] }],
    ["--layers 3,7,9", { layers: [3, 7, 9] }],
    ["--sizes 0.1,.25", { sizes: [0.1, 0.25] }],
    ["--sizes 0.1", { sizes: [0.1] }],
    ["--calibration a --calibration b,c", { calibration: ["a", "b,c"] }],
    ["-o out --dry-run", { output: "out", dryRun: true }],
    ["--output=-odd", { output: "-odd" }],
    ["-- --model", {}, ["--model"]],
  ])("%s", (argv, changes, positionals = []) => {
    const parsed = parseFlags(schema, argv === "" ? [] : argv.split(" "));
    expect(parsed).toEqual({ positionals, options: { ...defaults, ...changes } });
  });
});

describe("argv is refused", () => {
  test.each<[string, string, string?]>([
    ["--sparcity 0.2", "there is no flag --sparcity", "did you mean --sparsity?"],
    ["--zzz", "there is no flag --zzz", "--help lists the flags"],
    ["-x", "there is no flag -x", "--help lists the flags"],
    ["--sparsity", "--sparsity needs a value", "for example --sparsity 0.2"],
    ["--output --dry-run", "--output needs a value", "for example --output TEXT"],
    ["--sparsity 1.5", "--sparsity must be between 0 and 0.95, got 1.5"],
    ["--sparsity -1", "--sparsity must be between 0 and 0.95, got -1"],
    ["--sparsity half", "--sparsity must be between 0 and 0.95, got half"],
    ["--mode slow", "--mode must be one of fast, exact, got slow"],
    ["--dry-run=no", "--dry-run takes no value, got no"],
    ["--sparsity 0.1 --sparsity 0.2", "--sparsity was given twice"],
  ])("%s", (argv, message, hint) => {
    let error: unknown;
    try {
      parseFlags(schema, argv.split(" "));
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CompError);
    expect(error).toMatchObject({ kind: "option", message, hint });
  });
});

test("help names flag, choices, meaning and default", () => {
  expect(renderFlags(schema)).toMatchInlineSnapshot(`
    "  --sparsity N              fraction to remove (default 0.2)
      --max-shard-size TEXT     largest file (default 5GB)
      --layers N                layers to remove (default auto)
      --sizes N                 sizes
      --calibration FILE        texts
      -o, --output TEXT         folder (default beside)
      --mode fast|exact         how (default fast)
      --dry-run                 plan only"
  `);
});
