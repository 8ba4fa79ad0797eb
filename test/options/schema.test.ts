import { describe, expect, test } from "vitest";
import * as z from "zod";
import { CompError } from "../../src/errors.ts";
import { EvalOptions } from "../../src/options/eval.ts";
import { GenerateOptions } from "../../src/options/generate.ts";
import { settleJudging } from "../../src/options/protocols.ts";
import { PruneOptions } from "../../src/options/prune.ts";
import { namesOf, optionsOf, parseOptions } from "../../src/options/schema.ts";

test("what is not given has its default: evaluation takes 16 windows of 512 tokens, generation is greedy", () => {
  const options = parseOptions(EvalOptions, {});
  expect(settleJudging(options)).toMatchObject({ context: 512, windows: 16, stride: 512 });
  expect(options).toEqual({
    protocol: "windows",
    bos: false,
    probes: false,
    seed: 0,
    limit: 0,
    device: "auto",
  });
  expect(parseOptions(GenerateOptions, {})).toMatchObject({ maxTokens: 64, temperature: 0 });
});

describe("refusals in plain words", () => {
  test.each([
    [{ sparsity: 1.5 }, "sparsity must be between 0 and 0.95, got 1.5"],
    [{ samples: 2.5 }, "samples must be a whole number between 1 and 65536, got 2.5"],
    [
      { criterion: "fisher" },
      "criterion must be one of loss, obs, condition, wanda, fluctuation, taylor, magnitude, random, got fisher",
    ],
    [
      { preset: "sparse" },
      "preset must be one of best, osscar, wanda-sp, flap, llm-pruner, shortgpt, comp-paper, magnitude, random, frequency, ean, reap, man, msan, got sparse",
    ],
    [{ recovery: "all" }, "recovery must be one of none, mask, least-squares, dense-target, bias, got all"],
    [{ layers: "some" }, "layers must be auto, half, only, a number of layers, or indices such as 7,8, got some"],
    [{ heads: -1 }, "heads must be auto or a number of heads, got -1"],
    [{ spare: [1] }, "spare must be two numbers of layers, such as 4,2, got 1"],
    [{ maxPerplexityIncrease: 15 }, "maxPerplexityIncrease must be a share such as 15% or 0.15, got 15"],
    [{ maxShardSize: "large" }, "maxShardSize must be a size such as 500MB or 5GB, got large"],
    [{ dryRun: "yes" }, "dryRun must be a boolean, got yes"],
    [{ sparcity: 0.2 }, "there is no option sparcity"],
  ])("%j: %s", (input, message) => {
    expect(() => parseOptions(PruneOptions, input)).toThrow(expect.objectContaining({ kind: "option", message }));
  });

  test("name the option as the caller spells it", () => {
    const flag = (name: string): string => `--${name}`;
    expect(() => parseOptions(PruneOptions, { sparsity: 2 }, flag)).toThrow(
      "--sparsity must be between 0 and 0.95, got 2",
    );
    expect(() => parseOptions(PruneOptions, { sparcity: 2 }, flag)).toThrow("there is no option --sparcity");
  });

  test("tell what is missing", () => {
    const schema = z.strictObject({ text: z.string() });
    expect(() => parseOptions(schema, {})).toThrow(new CompError("option", "text is missing"));
  });
});

test("the options of a schema, in its order, with what help and flags need", () => {
  const options = optionsOf(PruneOptions);
  expect(options.slice(0, 2).map(([name]) => name)).toEqual(["sparsity", "maxPerplexityIncrease"]);
  expect(new Map(options).get("spare")).toMatchObject({ type: "array", value: "FIRST,LAST", fallback: "the preset's" });
  expect(new Map(options).get("context")).toMatchObject({ default: 256, minimum: 8, maximum: 131072 });
});

test("the names of a table are its keys, in order", () => expect(namesOf({ b: 1, a: 2 })).toEqual(["b", "a"]));
