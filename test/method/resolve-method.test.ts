// From options, model and output to the one method they add up to.
import { describe, expect, test } from "vitest";
import { type CriterionName, criteria } from "../../src/importance/index.ts";
import { byScore } from "../../src/importance/one-shot.ts";
import type { Method } from "../../src/method/method.ts";
import type { OutputFormat } from "../../src/method/output-format.ts";
import { type OwnCriterion, resolveMethod } from "../../src/method/resolve-method.ts";
import { trialMethod } from "../../src/method/trial-method.ts";
import { PruneOptions } from "../../src/options/prune.ts";
import { parseOptions } from "../../src/options/schema.ts";
import { type RecoveryName, recoveries } from "../../src/recover/index.ts";
import { methodOf, resolved } from "../helpers/method.ts";
import { tinySpec } from "../helpers/specs.ts";

const [llama, gemma3, mistral] = [tinySpec("llama"), tinySpec("gemma3"), tinySpec("mistral")];
const [smollm3, starcoder2] = [tinySpec("smollm3"), tinySpec("starcoder2")];
const folder: OutputFormat = { format: "safetensors", dtype: "F16" };

type Expected = [options: object, value: unknown];
const cases = (table: Expected[], of: (method: Method) => unknown) =>
  test.each(table)("%j: %j", (options, value) => expect(of(methodOf(options, llama))).toEqual(value));

describe("the goal", () => {
  cases(
    [
      [{}, { kind: "sparsity", sparsity: 0.2 }],
      [{ sparsity: 0.4 }, { kind: "sparsity", sparsity: 0.4 }],
      [{ maxKl: 0.1 }, { kind: "quality", most: 0.5, maxKl: 0.1 }],
      [
        { maxPerplexityIncrease: "15%", sparsity: 0.3 },
        { kind: "quality", most: 0.3, maxPerplexityIncrease: 0.15 },
      ],
    ],
    ({ goal }) => goal,
  );
});

describe("whole layers", () => {
  cases(
    [
      [{}, { kind: "search" }],
      [{ widths: "per-layer" }, { kind: "fewest" }],
      [{ criterion: "wanda" }, { kind: "fewest" }],
      [{ layers: 0 }, { kind: "none" }],
      [{ prune: "mlp" }, { kind: "none" }],
      [{ layers: 3 }, { kind: "count", count: 3 }],
      [{ layers: [2, 0, 2] }, { kind: "list", removed: [0, 2] }],
      [{ layers: [10, 9] }, { kind: "list", removed: [9, 10] }],
      [{ layers: "half" }, { kind: "half" }],
      [{ preset: "comp-paper" }, { kind: "half" }],
      [{ preset: "shortgpt" }, { kind: "only" }],
      [{ preset: "osscar" }, { kind: "none" }],
      [{ preset: "osscar", layers: "auto" }, { kind: "fewest" }],
    ],
    ({ layers }) => layers,
  );

  cases(
    [
      [{}, "ablation"],
      [{ preset: "shortgpt" }, "block-influence"],
      [{ preset: "shortgpt", criterion: "loss" }, "ablation"],
    ],
    ({ layerImportance }) => layerImportance,
  );
});

describe("heads", () => {
  const count = (kvGroups: number, heads: number) => ({ kind: "count", kvGroups, heads });
  cases(
    [
      [{}, { kind: "none" }],
      [{ prune: "all" }, { kind: "proportional" }],
      [{ preset: "wanda-sp" }, { kind: "proportional" }],
      [{ preset: "wanda-sp", prune: "mlp" }, { kind: "none" }],
      [{ preset: "wanda-sp", heads: 0 }, { kind: "none" }],
      [{ preset: "wanda-sp", kvGroups: 0 }, { kind: "none" }],
      [{ preset: "wanda-sp", widths: "per-layer" }, { kind: "none" }],
      [{ preset: "flap" }, { kind: "proportional" }],
      [{ preset: "shortgpt" }, { kind: "none" }],
      [{ heads: 1 }, count(0, 1)],
      [{ kvGroups: 1 }, count(1, 0)],
      [{ heads: 1, kvGroups: 1 }, count(1, 1)],
      [{ preset: "wanda-sp", heads: 1, widths: "per-layer" }, count(0, 1)],
    ],
    ({ heads }) => heads,
  );
});

test.each<[object, string]>([
  [{ experts: "auto" }, "none"],
  [{ experts: "auto", prune: "all" }, "search"],
  [{ experts: "auto", preset: "osscar" }, "search"],
  [{ experts: "auto", preset: "osscar", heads: 0 }, "none"],
  [{ experts: 2, prune: "all" }, "proportional"],
])("heads of a mixture, %j: %s", (options, kind) => {
  expect(methodOf(options, tinySpec("qwen3-moe")).heads.kind).toBe(kind);
});

describe("the allocation", () => {
  cases(
    [
      [{}, { kind: "even" }],
      [{ widths: "per-layer" }, { kind: "loss", of: "neurons" }],
      [
        { widths: "per-layer", prune: "all" },
        { kind: "loss", of: "all" },
      ],
      [
        { widths: "per-layer", prune: "all", heads: 1 },
        { kind: "loss", of: "neurons" },
      ],
      [
        { preset: "osscar", allocation: "loss" },
        { kind: "loss", of: "all" },
      ],
      [
        { preset: "osscar", allocation: "loss", prune: "mlp" },
        { kind: "loss", of: "neurons" },
      ],
      [{ preset: "llm-pruner" }, { kind: "even" }],
      [{ preset: "flap" }, { kind: "global" }],
    ],
    ({ allocation }) => allocation,
  );
});

describe("what backward sweeps have to find", () => {
  cases(
    [
      // the recovery makes up for errors in the loss's metric, in both sublayers
      [{}, ["both", "none"]],
      [{ recovery: "none" }, ["mlp", "none"]],
      [{ recovery: "none", prune: "all" }, ["both", "none"]],
      [{ criterion: "wanda" }, ["both", "none"]],
      [{ preset: "wanda-sp" }, ["none", "none"]],
      [{ preset: "osscar", allocation: "loss", prune: "mlp" }, ["mlp", "none"]],
      [{ preset: "osscar", allocation: "loss" }, ["both", "none"]],
      [{ preset: "osscar", allocation: "loss", prune: "mlp", heads: 0, layers: 1 }, ["mlp", "none"]],
      [{ preset: "llm-pruner" }, ["none", "both"]],
      [{ preset: "llm-pruner", prune: "mlp" }, ["none", "mlp"]],
      [{ preset: "llm-pruner", spare: [0, 0], allocation: "loss", prune: "mlp" }, ["mlp", "mlp"]],
      [{ preset: "flap" }, ["none", "none"]],
    ],
    ({ backward }) => [backward.fisherFactors, backward.weightSensitivity],
  );
});

test("what is given is handed on", () => {
  const text = [{ name: "a.txt", text: "a" }];
  const given = { sparsityOf: "decoder", spare: [1, 2], multipleOf: 64, ridge: 0.5, seed: 7 };
  const amount = { calibration: text, samples: 9, context: 64, ownText: 0.1 };
  expect(methodOf({ ...given, ...amount }, llama)).toMatchObject({
    sparsityOf: "decoder",
    protectedLayers: [1, 2],
    multipleOf: 64,
    ridge: 0.5,
    seed: 7,
    calibration: { ...amount, seed: 7 },
    choosesRidge: true,
    biases: llama.bias,
  });
});

test.each<[object, CriterionName, RecoveryName]>([
  [{}, "loss", "dense-target"],
  [{ preset: "comp-paper" }, "condition", "mask"],
  [{ preset: "flap", criterion: "magnitude" }, "magnitude", "bias"],
])("%j ranks by %s and makes up by %s", (options, criterion, recovery) => {
  const method = methodOf(options, llama);
  expect(method.criterion).toBe(criteria[criterion]);
  expect(method.recovery).toBe(recoveries[recovery]);
});

describe("what the output can hold", () => {
  const own = ["per-layer", { kind: "loss", of: "neurons" }, { kind: "fewest" }];
  const equal = (layers: string) => ["equal", { kind: "even" }, { kind: layers }];

  test.each([
    ["llama", "safetensors", equal("search")],
    ["llama", "gguf", own],
    ["mistral", "gguf", own],
    ["gemma3", "safetensors", equal("search")],
    ["gemma3", "gguf", equal("search")],
    ["smollm3", "gguf", equal("none")],
  ] as const)("%s in %s", (family, format, expected) => {
    const { widths, allocation, layers } = methodOf({}, tinySpec(family), format);
    expect([widths, allocation, layers]).toEqual(expected);
  });

  test("is what the options record", () => {
    expect(resolved({}, llama, "gguf").options).toMatchObject({
      widths: "per-layer",
      allocation: "loss",
      layers: "auto",
    });
    expect(resolved({}, smollm3, "gguf").options).toMatchObject({ widths: "equal", allocation: "even", layers: 0 });
  });

  test("a number of layers is refused where their order has to stay regular", () => {
    expect(() => resolved({ layers: 2 }, smollm3, "gguf")).toThrow(
      "--layers 2 leaves the choice open; in GGUF smollm3 needs a regular order",
    );
  });
});

test("heads stay in GGUF where llama.cpp wants as many as the hidden states are wide", () => {
  const why = "llama.cpp's starcoder2 wants heads that together are as wide as the hidden states";
  const options = { preset: "comp-paper", widths: "equal" };
  expect(resolved(options, starcoder2, "safetensors").method.heads.kind).toBe("proportional");
  const { method, warnings } = resolved(options, starcoder2, "gguf");
  expect(method.heads.kind).toBe("none");
  expect(warnings).toContain(`all heads stay: ${why}`);
  expect(() => resolved({ heads: 1 }, starcoder2, "gguf")).toThrow(why);
});

describe("a bias", () => {
  const BIASED = { recovery: "bias", criterion: "wanda", widths: "equal" };
  const biases = (mlp: boolean) => ({ qkv: false, o: false, mlp, down: true });

  test("goes where the family has a place, gate and up along with down", () => {
    expect(resolved(BIASED, llama)).toMatchObject({ warnings: [], method: { biases: biases(true) } });
  });

  test("of down alone where a modelling file comes anyway", () => {
    const { method, warnings, options } = resolved({ ...BIASED, widths: "per-layer" }, mistral);
    expect([method.biases, warnings, options.recovery]).toEqual([biases(false), [], "bias"]);
    expect(method.recovery).toBe(recoveries.bias);
  });

  test.each([
    [mistral, "mistral"],
    [gemma3, "gemma3_text"],
  ])("is left out with a warning where there is none (%#)", (spec, family) => {
    const { method, warnings, options } = resolved(BIASED, spec);
    expect(warnings).toEqual([`a ${family} of equal widths has no place for a bias; --recovery bias is left out`]);
    expect([method.recovery, options.recovery, method.biases]).toEqual([recoveries.none, "none", spec.bias]);
  });

  test("that is there stays, whatever the recovery", () => {
    const biased = { ...mistral, bias: biases(false) };
    expect(resolved(BIASED, biased)).toMatchObject({ warnings: [], method: { biases: biases(false) } });
    expect(methodOf({}, biased).biases).toEqual(biases(false));
  });
});

describe("tokens are weighted by their scale", () => {
  test.each<[object, boolean]>([
    [{}, true],
    [{ recovery: "none" }, true],
    [{ criterion: "wanda" }, true],
    [{ criterion: "wanda", recovery: "least-squares" }, false],
    [{ preset: "osscar" }, false],
    [{ recovery: "bias", widths: "per-layer" }, false],
    // equal widths have no place for the bias: what is left is the metric of the loss
    [{ recovery: "bias", widths: "equal" }, true],
  ])("where norms follow the projections and the metric is the loss's: %j %s", (options, expected) => {
    expect(methodOf(options, gemma3).tokenScale).toBe(expected);
    expect(methodOf(options, llama).tokenScale).toBe(false);
  });
});

describe("refused", () => {
  test.each<[object, string, string]>([
    [{ prune: "mlp", heads: 1 }, "--prune mlp does not go with --heads", "leave one of them out"],
    [{ prune: "mlp", kvGroups: 1 }, "--prune mlp does not go with --kv-groups", "leave one of them out"],
    [{ prune: "mlp", heads: 1, kvGroups: 1 }, "--prune mlp does not go with --heads", "leave one of them out"],
    [
      { criterion: "obs", allocation: "global" },
      "--allocation global does not go with --criterion obs",
      "it needs neurons scored one by one: wanda, fluctuation, taylor, magnitude, random",
    ],
    [
      { allocation: "global" },
      "--allocation global does not go with --criterion loss",
      "it needs neurons scored one by one: wanda, fluctuation, taylor, magnitude, random",
    ],
  ])("%j", (options, message, hint) => {
    expect(() => methodOf(options, llama)).toThrow(expect.objectContaining({ kind: "option", message, hint }));
  });
});

describe("a criterion of one's own", () => {
  const rank: OwnCriterion["rank"] = async () => ({ order: Int32Array.of(), costs: Float64Array.of() });
  const mine: OwnCriterion = { name: "mine", rank };
  const resolve = (own: OwnCriterion, options: object = {}) =>
    resolveMethod(parseOptions(PruneOptions, options), llama, folder, own);

  test("takes the place of the named one, and is recorded by its name", () => {
    const { method, options } = resolve(mine, { criterion: "wanda" });
    expect(method.criterion).toBe(mine);
    expect(options.criterion).toBe("mine");
  });

  test("says by flags what it needs", () => {
    const plain = resolve(mine, { recovery: "none" }).method;
    expect(plain.backward).toEqual({ fisherFactors: "none", weightSensitivity: "none" });
    expect([plain.layers, plain.layerImportance]).toEqual([{ kind: "fewest" }, "block-influence"]);
    const needy = { ...mine, needsFisherFactor: true, needsWeightSensitivity: true };
    const { method } = resolve(needy, { recovery: "none" });
    expect(method.backward).toEqual({ fisherFactors: "mlp", weightSensitivity: "mlp" });
    expect([method.layers, method.layerImportance]).toEqual([{ kind: "search" }, "ablation"]);
  });

  test.each<object>([{ prune: "all" }, { preset: "wanda-sp" }, { heads: 1 }, { widths: "per-layer", prune: "all" }])(
    "without costs of blocks it is refused where heads go: %j",
    (options) => {
      const message = "--criterion mine ranks neurons and no heads";
      const hint = "cut neurons only: --prune mlp";
      expect(() => resolve(mine, options)).toThrow(expect.objectContaining({ kind: "option", message, hint }));
      const scored = { ...byScore(({ inputSize }) => new Float64Array(inputSize)), name: "mine" };
      expect(resolve(scored, options).method.criterion).toBe(scored);
    },
  );

  test("ranks all layers at once if it says that it scores one by one", () => {
    const message = "--allocation global does not go with --criterion mine";
    expect(() => resolve(mine, { allocation: "global" })).toThrow(expect.objectContaining({ message }));
    expect(resolve({ ...mine, oneShot: true }, { allocation: "global" }).method.allocation).toEqual({ kind: "global" });
  });
});

describe("the method of a trial", () => {
  test("is the same but for the criterion, the target, the choice of a ridge, and weights of a rounding that it does not do", () => {
    const method = methodOf({}, llama);
    const recovery = recoveries["least-squares"];
    const changed = { criterion: criteria.wanda, recovery, choosesRidge: false, importance: "none" };
    expect(trialMethod(method, llama, criteria.wanda)).toEqual({ ...method, ...changed });
  });

  test("keeps a recovery that does not aim at the dense model", () => {
    const method = methodOf({ recovery: "bias" }, llama);
    expect(trialMethod(method, llama, criteria.wanda).recovery).toBe(method.recovery);
  });

  test("weights tokens as its own criterion wants it", () => {
    const [plain, target] = [methodOf({ recovery: "none" }, gemma3), methodOf({}, gemma3)];
    expect(trialMethod(plain, gemma3, criteria.wanda).tokenScale).toBe(false);
    expect(trialMethod(target, gemma3, criteria.wanda).tokenScale).toBe(true);
  });
});

test.each([
  ["gguf", "off", "none"],
  ["gguf", "auto", "summed"],
  ["gguf", "on", "all"],
  ["safetensors", "on", "none"],
] as const)(
  "in %s with importance %s, moments of inputs are wanted of these matrices: %s",
  (format, importance, expected) => {
    expect(methodOf({ importance }, llama, format).importance).toBe(expected);
  },
);
