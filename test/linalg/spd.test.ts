import { expect, test } from "vitest";
import { meanDiagonal, ridged } from "../../src/linalg/spd.ts";

test("the ridge is a share of the mean diagonal", () => {
  expect([...ridged(Float32Array.of(2, 1, 1, 4), 2, 0.5)]).toEqual([3.5, 1, 1, 5.5]);
});

test.each([
  ["zero", 0],
  ["not finite", Number.NaN],
])("a mean diagonal that is %s is refused", (_, value) => {
  expect(() => meanDiagonal(Float32Array.of(value), 1)).toThrow(expect.objectContaining({ kind: "numeric" }));
});
