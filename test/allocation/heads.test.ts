import { describe, expect, test } from "vitest";
import { withoutHeads } from "../../src/allocation/heads.ts";
import { CompError } from "../../src/errors.ts";
import type { HeadRule } from "../../src/method/method.ts";
import type { DecoderSpec } from "../../src/model/spec/decoder-spec.ts";
import { resized, sizesOf } from "../../src/model/spec/parts.ts";
import { smallSpec } from "../helpers/specs.ts";

/** Four query heads that share two key-value heads, and as many of each. */
const shared = smallSpec(3, { numAttentionHeads: 4, numKeyValueHeads: 2 });
const single = smallSpec(3, { numAttentionHeads: 4, numKeyValueHeads: 4 });

const headsOf = (spec: DecoderSpec, heads: HeadRule, sparsity = 0.2, protectedLayers: readonly number[] = [0, 0]) =>
  withoutHeads(spec, { heads, protectedLayers }, sparsity).layers.map((layer) => [
    sizesOf(layer).numAttentionHeads,
    sizesOf(layer).numKeyValueHeads,
  ]);
const count = (kvGroups: number, heads: number): HeadRule => ({ kind: "count", kvGroups, heads });

describe("by number", () => {
  test.each<[string, HeadRule, number[]]>([
    ["a head of each group", count(0, 1), [2, 2]],
    ["a group with its heads", count(1, 0), [2, 1]],
    ["both", count(1, 1), [1, 1]],
  ])("%s, from every layer", (_, rule, left) => {
    expect(headsOf(shared, rule)).toEqual([left, left, left]);
  });

  test.each<[DecoderSpec, HeadRule, string, string]>([
    [
      shared,
      count(0, 2),
      "--heads 2 leaves none of the 2 query heads of each group of layer 0",
      "keep at least one, or remove whole groups with --kv-groups",
    ],
    [
      single,
      count(0, 1),
      "--heads 1 leaves none of the 1 query heads of each group of layer 0",
      "keep at least one, or remove whole groups with --kv-groups",
    ],
    [shared, count(2, 0), "--kv-groups 2 leaves none of the 2 key-value groups of layer 0", "keep at least one"],
  ])("what would leave none is refused (%#)", (spec, rule, message, hint) => {
    expect(() => headsOf(spec, rule)).toThrow(new CompError("option", message, { hint }));
  });
});

describe("in proportion", () => {
  test.each<[string, DecoderSpec, number, number[]]>([
    ["0.4 of a group's two heads are none", shared, 0.2, [4, 2]],
    ["0.6 are one", shared, 0.3, [2, 2]],
    ["1.8 are two, but one stays", shared, 0.9, [2, 2]],
    ["where a group is one head, groups go: half of four", single, 0.5, [2, 2]],
    ["of four groups one stays", single, 0.95, [1, 1]],
    ["nothing goes at sparsity 0", single, 0, [4, 4]],
  ])("%s", (_, spec, sparsity, left) => {
    expect(headsOf(spec, { kind: "proportional" }, sparsity)).toEqual([left, left, left]);
  });
});

test("protected layers keep theirs", () => {
  expect(headsOf(shared, { kind: "proportional" }, 0.5, [1, 0])).toEqual([
    [4, 2],
    [2, 2],
    [2, 2],
  ]);
  expect(headsOf(shared, count(1, 0), 0.5, [0, 2])).toEqual([
    [2, 1],
    [4, 2],
    [4, 2],
  ]);
});

test("a layer without attention stays as it is", () => {
  const absent = resized(shared.layers[1]!, { numAttentionHeads: 0, numKeyValueHeads: 0 });
  const spec = { ...shared, layers: shared.layers.with(1, absent) };
  expect(headsOf(spec, count(0, 1))).toEqual([
    [2, 2],
    [0, 0],
    [2, 2],
  ]);
});

test("without a rule the model is the same one", () => {
  expect(withoutHeads(shared, { heads: { kind: "none" }, protectedLayers: [0, 0] }, 0.5)).toBe(shared);
});
