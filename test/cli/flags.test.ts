import { describe, expect, test } from "vitest";
import * as z from "zod";
import { parseFlags, renderFlags } from "../../src/cli/flags.ts";
import { CompError } from "../../src/errors.ts";
import { fraction } from "../../src/options/common.ts";

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

const fractions: z.ZodObject = z.strictObject({
  share: fraction(0, 0.95).optional().describe("a share"),
  more: fraction(0.1, 1, 100).optional().meta({ expected: "a share such as 15% or 0.15" }),
  list: z.array(fraction(0, 0.95)).optional().meta({ expected: "numbers between 0 and 0.95" }),
});

describe("a percentage is a fraction", () => {
  test.each<[string[], object]>([
    [["--share", "20%"], { share: 0.2 }],
    [["--share", "20 %"], { share: 0.2 }],
    [["--share=14.1%"], { share: 0.141 }],
    [["--share", ".5%"], { share: 0.005 }],
    [["--share", "0%"], { share: 0 }],
    [["--share", "0.2"], { share: 0.2 }],
    [["--more", "150%"], { more: 1.5 }],
    [["--list", "10%,20%"], { list: [0.1, 0.2] }],
    [["--list", "10%, .2"], { list: [0.1, 0.2] }],
    [["--list", "10%"], { list: [0.1] }],
  ])("%j", (argv, options) => expect(parseFlags(fractions, argv).options).toEqual(options));

  test.each([
    ["--share 20", "--share must be between 0 and 0.95, got 20", "for 20 percent write 20% or 0.2"],
    ["--share 14.1", "--share must be between 0 and 0.95, got 14.1", "for 14.1 percent write 14.1% or 0.141"],
    ["--share 96%", "--share must be between 0 and 0.95, got 96%", undefined],
    ["--share -5%", "--share must be between 0 and 0.95, got -5%", undefined],
    ["--share 200", "--share must be between 0 and 0.95, got 200", undefined],
    ["--more 15", "--more must be a share such as 15% or 0.15, got 15", "for 15 percent write 15% or 0.15"],
    ["--list 10,20%", "--list must be numbers between 0 and 0.95, got 10,20%", "for 10 percent write 10% or 0.1"],
  ])("%s is refused", (argv, message, hint) => expect(refusalOf(fractions, argv)).toMatchObject({ message, hint }));
});

describe("a text may begin with a dash", () => {
  test.each(["-5 degrees", "-5", "- one\n- two", "-- he said", "--- a/file", "-ing", "-x", "-", "--dry run", "-0.5%"])(
    "%s",
    (text) => {
      expect(parseFlags(schema, ["--output", text]).options).toMatchObject({ output: text });
      expect(parseFlags(schema, ["-o", text, "--dry-run"]).options).toMatchObject({ output: text, dryRun: true });
      expect(parseFlags(schema, ["--calibration", text]).options).toMatchObject({ calibration: [text] });
    },
  );
});

describe("argv is refused", () => {
  test.each<[string, string, string?]>([
    ["--sparcity 0.2", "there is no flag --sparcity", "did you mean --sparsity?"],
    ["--zzz", "there is no flag --zzz", "--help lists the flags"],
    ["-x", "there is no flag -x", "--help lists the flags"],
    ["--sparsity", "--sparsity needs a value", "for example --sparsity 0.2"],
    ["--output", "--output needs a value", "for example --output TEXT"],
    ["--output --dry-run", "--output needs a value", "if --dry-run is its value, write --output=--dry-run"],
    ["--output --dry-rnu", "--output needs a value", "if --dry-rnu is its value, write --output=--dry-rnu"],
    ["--output --mode=fast", "--output needs a value", "if --mode=fast is its value, write --output=--mode=fast"],
    ["--calibration -o", "--calibration needs a value", "if -o is its value, write --calibration=-o"],
    ["-o --dry-run", "-o needs a value", "if --dry-run is its value, write -o--dry-run"],
    ["--output --", "--output needs a value", "if -- is its value, write --output=--"],
    ["--sparsity --dry-run", "--sparsity needs a value", "for example --sparsity 0.2"],
    ["--mode --dry-run", "--mode needs a value", "for example --mode fast"],
    ["--sparsity 1.5", "--sparsity must be between 0 and 0.95, got 1.5"],
    ["--sparsity -1", "--sparsity must be between 0 and 0.95, got -1"],
    ["--sparsity half", "--sparsity must be between 0 and 0.95, got half"],
    ["--mode slow", "--mode must be one of fast, exact, got slow"],
    ["--dry-run=no", "--dry-run takes no value, got no"],
    ["--sparsity 0.1 --sparsity 0.2", "--sparsity was given twice"],
  ])("%s", (argv, message, hint) => expect(refusalOf(schema, argv)).toMatchObject({ kind: "option", message, hint }));
});

function refusalOf(of: z.ZodObject, argv: string): CompError {
  try {
    parseFlags(of, argv.split(" "));
  } catch (error) {
    if (error instanceof CompError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

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
