import { expect, expectTypeOf, test } from "vitest";
import { PruneOptions, parseByteSize, type SettledOptions } from "../../src/options/prune.ts";
import { parseOptions } from "../../src/options/schema.ts";

test("the preset alone has a say in what is not given", () => {
  const { preset, ...rest } = parseOptions(PruneOptions, {});
  expect(preset).toBe("best");
  for (const open of ["sparsity", "criterion", "recovery", "widths", "allocation", "spare", "layers", "ownText"])
    expect(rest).not.toHaveProperty(open);
});

test.each([
  [0.15, 0.15],
  ["15%", 0.15],
  ["0.5 %", 0.005],
  ["150%", 1.5],
])("a share %j is %f", (share, expected) =>
  expect(parseOptions(PruneOptions, { maxPerplexityIncrease: share }).maxPerplexityIncrease).toBeCloseTo(expected, 12),
);

test.each([
  ["5GB", 5e9],
  ["500 MB", 5e8],
  ["1.5kb", 1500],
  ["64B", 64],
])("%s is %d bytes", (text, bytes) => expect(parseByteSize(text)).toBe(bytes));

test("checked and settled options have the types that they declare", () => {
  expectTypeOf<PruneOptions["layers"]>().toEqualTypeOf<"auto" | "half" | "only" | number | number[] | undefined>();
  expectTypeOf<PruneOptions["preset"]>().extract<"best" | "flap">().toEqualTypeOf<"best" | "flap">();
  expectTypeOf<PruneOptions["criterion"]>().extract<"loss">().toEqualTypeOf<"loss">();
  expectTypeOf<SettledOptions["sparsity"]>().toEqualTypeOf<number>();
  expectTypeOf<SettledOptions["context"]>().toEqualTypeOf<number>();
});
