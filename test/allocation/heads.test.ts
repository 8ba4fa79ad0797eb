import { describe, expect, test } from "vitest";
import { withoutHeads } from "../../src/allocation/heads.ts";
import { equalSpec } from "../../src/allocation/plan.ts";
import { reachedSparsity } from "../../src/allocation/uniform.ts";
import { CompError } from "../../src/errors.ts";
import { pruneOptions } from "../../src/method/presets.ts";
import { parseConfig } from "../../src/model/config/parse-config.ts";
import type { PruneOptions } from "../../src/options/prune.ts";
import { readJsonFixture } from "../helpers/fixtures.ts";

// four query heads, two key-value heads of 8 elements
const spec = parseConfig(readJsonFixture<Record<string, unknown>>("tiny", "llama", "config.json"));
const options = (over: object): PruneOptions => pruneOptions({ widths: "equal", multipleOf: 1, ...over });
const headsOf = (over: object): number[][] =>
  withoutHeads(spec, options(over)).layers.map((layer) => [layer.numAttentionHeads, layer.numKeyValueHeads]);

test("a head of each group, or a group with its heads, or both", () => {
  expect(headsOf({ heads: 1, kvGroups: 0 })).toEqual(new Array(3).fill([2, 2]));
  expect(headsOf({ heads: 0, kvGroups: 1 })).toEqual(new Array(3).fill([2, 1]));
  expect(headsOf({ heads: 1, kvGroups: 1 })).toEqual(new Array(3).fill([1, 1]));
});

test("a layer without attention stays as it is", () => {
  const absent = { ...spec.layers[1]!, numAttentionHeads: 0, numKeyValueHeads: 0 };
  const layers = withoutHeads({ ...spec, layers: spec.layers.with(1, absent) }, options({ heads: 1 })).layers;
  expect(layers.map(({ numAttentionHeads }) => numAttentionHeads)).toEqual([2, 0, 2]);
});

test("what cannot be is refused, saying what there is", () => {
  expect(() => headsOf({ heads: 2, kvGroups: 0 })).toThrow(CompError);
  expect(() => headsOf({ heads: 2, kvGroups: 0 })).toThrow(
    "--heads 2 leaves none of the 2 query heads of each group of layer 0",
  );
  expect(() => headsOf({ heads: 0, kvGroups: 2 })).toThrow("--kv-groups 2 leaves none of the 2 key-value groups");
  expect(() => withoutHeads(spec, options({ prune: "mlp", kvGroups: 1 }))).toThrow(
    "--prune mlp does not go with --kv-groups",
  );
  const single = { ...spec, layers: spec.layers.map((layer) => ({ ...layer, numKeyValueHeads: 4 })) };
  expect(() => withoutHeads(single, options({ heads: 1 }))).toThrow(
    "--heads 1 leaves none of the 1 query heads of each group of layer 0",
  );
});

test("the neurons give the rest of what is asked for", () => {
  const widthOf = (over: object): number => {
    const after = equalSpec(spec, [0, 1, 2], options({ sparsity: 0.2, sparsityOf: "decoder", ...over }));
    expect(reachedSparsity(spec, after, "decoder")).toBeGreaterThanOrEqual(0.2);
    expect(reachedSparsity(spec, after, "decoder")).toBeLessThan(0.21);
    return after.layers[0]!.intermediateSize;
  };
  // two query heads of 8 elements, rows of q and columns of o: 2 · 2 · 8 · 32 parameters, those of 10.67 neurons (3 · 32)
  expect(widthOf({ heads: 1 }) - widthOf({})).toBeGreaterThanOrEqual(10);
  expect(widthOf({ heads: 1 }) - widthOf({})).toBeLessThanOrEqual(11);
  const enough = equalSpec(spec, [0, 1, 2], options({ sparsity: 0.05, heads: 1 }));
  expect(enough.layers[0]!.intermediateSize).toBe(80);
});

describe("a preset whose authors cut heads", () => {
  const shared = (over: object): number[][] => headsOf({ preset: "wanda-sp", ...over });

  test("cuts as large a share of them as whole heads allow, and leaves one", () => {
    expect(shared({ sparsity: 0.2 })).toEqual(new Array(3).fill([4, 2])); // 0.4 of a group's two heads
    expect(shared({ sparsity: 0.3 })).toEqual(new Array(3).fill([2, 2]));
    expect(shared({ sparsity: 0.9 })).toEqual(new Array(3).fill([2, 2]));
  });

  test("takes groups where each has but one head", () => {
    const single = { ...spec, layers: spec.layers.map((layer) => ({ ...layer, numKeyValueHeads: 4 })) };
    const [first] = withoutHeads(single, options({ preset: "wanda-sp", sparsity: 0.5 })).layers;
    expect([first!.numAttentionHeads, first!.numKeyValueHeads]).toEqual([2, 2]);
  });

  test("leaves them all where neurons alone may go, where a number says so, and in spared layers", () => {
    const all = new Array(3).fill([4, 2]);
    expect(shared({ sparsity: 0.5, prune: "mlp" })).toEqual(all);
    expect(shared({ sparsity: 0.5, heads: 0 })).toEqual(all);
    expect(headsOf({ sparsity: 0.5 })).toEqual(all);
    const [first, ...rest] = withoutHeads(
      spec,
      pruneOptions({ preset: "wanda-sp", sparsity: 0.5, spare: [1, 0] }),
    ).layers;
    expect(first!.numAttentionHeads).toBe(4);
    expect(rest.map(({ numAttentionHeads }) => numAttentionHeads)).toEqual([2, 2]);
  });
});
