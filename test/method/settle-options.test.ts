// What each preset chooses, and how options override it.
import { describe, expect, test } from "vitest";
import { type PresetName, presets } from "../../src/options/presets.ts";
import { settled } from "../helpers/method.ts";

test("one dial suffices to prune", () => {
  expect(settled({ sparsity: 0.3 })).toEqual({
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
    vocabulary: [],
    experts: 0,
    expertCriterion: "reroute",
    ownText: 0.5,
    context: 256,
    seed: 0,
    dtype: "auto",
    importance: "auto",
    device: "auto",
    maxShardSize: "5GB",
    ridge: 0.001,
    probes: 16,
    dryRun: false,
  });
});

test.each<[object, number]>([
  [{}, 0.2],
  [{ maxKl: 0.1 }, 0.5],
  [{ maxPerplexityIncrease: "15%" }, 0.5],
  [{ maxKl: 0.1, sparsity: 0.3 }, 0.3],
])("the sparsity of %j is %f", (given, sparsity) => expect(settled(given).sparsity).toBe(sparsity));

test.each(Object.keys(presets) as PresetName[])("%s is its row, but for widths", (preset) => {
  const { cuts: _, ...row } = presets[preset];
  expect(settled({ preset })).toMatchObject(row);
});

describe("choices", () => {
  test.each<[object, object]>([
    [{ criterion: "wanda" }, { criterion: "wanda", recovery: "dense-target", widths: "equal" }],
    [{ widths: "auto" }, { widths: "auto", allocation: "even" }],
    [{ widths: "equal" }, { widths: "equal", allocation: "even", spare: [0, 0] }],
    [{ widths: "per-layer" }, { widths: "per-layer", allocation: "loss", spare: [0, 0] }],
    [{ allocation: "even" }, { widths: "equal", allocation: "even" }],
    [{ allocation: "loss" }, { widths: "per-layer", allocation: "loss" }],
    [{ spare: [1, 0] }, { widths: "per-layer", allocation: "even", spare: [1, 0] }],
    [
      { spare: [1, 0], widths: "per-layer" },
      { widths: "per-layer", allocation: "even" },
    ],
    [{ preset: "flap" }, { criterion: "fluctuation", recovery: "bias", widths: "per-layer", allocation: "global" }],
    [
      { preset: "flap", recovery: "none" },
      { criterion: "fluctuation", recovery: "none", allocation: "global" },
    ],
    [
      { preset: "flap", widths: "equal" },
      { criterion: "fluctuation", widths: "equal", allocation: "even" },
    ],
    [{ preset: "llm-pruner" }, { widths: "per-layer", allocation: "even", spare: [4, 2] }],
    [
      { preset: "llm-pruner", widths: "equal" },
      { widths: "equal", allocation: "even", spare: [0, 0] },
    ],
    [
      { preset: "llm-pruner", spare: [0, 0] },
      { widths: "equal", allocation: "even" },
    ],
    [
      { preset: "wanda-sp", widths: "per-layer" },
      { criterion: "wanda", allocation: "loss" },
    ],
    [
      { preset: "wanda-sp", allocation: "global" },
      { criterion: "wanda", widths: "per-layer" },
    ],
    [
      { preset: "wanda-sp", criterion: "loss" },
      { widths: "auto", allocation: "even" },
    ],
    [{ preset: "comp-paper", prune: "mlp" }, { layers: 0 }],
    [{ preset: "comp-paper", prune: "all" }, { layers: "half" }],
    [{ preset: "comp-paper", prune: "mlp", layers: 2 }, { layers: 2 }],
    [{ preset: "shortgpt", prune: "mlp", layers: 2 }, { layers: 2 }],
    [{ ownText: 0 }, { ownText: 0 }],
  ])("%j", (given, chosen) => expect(settled(given)).toMatchObject(chosen));

  test.each<[object, string]>([
    [{ widths: "equal", allocation: "global" }, "--widths equal does not go with --allocation global"],
    [{ widths: "equal", spare: [1, 1] }, "--widths equal does not go with --spare 1,1"],
    [{ widths: "per-layer", allocation: "even" }, "--widths per-layer does not go with --allocation even"],
    [{ preset: "shortgpt", prune: "mlp" }, "--preset shortgpt removes whole layers, --prune mlp leaves them all"],
  ])("%j is refused", (given, message) =>
    expect(() => settled(given)).toThrow(expect.objectContaining({ kind: "option", message })),
  );
});
