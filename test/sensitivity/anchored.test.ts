// Predicted curves corrected by what was measured, by hand.
import { expect, test } from "vitest";
import { anchored } from "../../src/sensitivity/cost-curves.ts";

const curve = Float64Array.of(1, 1, 2, 2, 4, 4);

test.each<[string, [steps: number, loss: number][], number[]]>([
  ["without a measurement it stays as predicted", [], [1, 1, 2, 2, 4, 4]],
  ["one holds for all: two steps cost 6, not 2", [[2, 6]], [3, 3, 6, 6, 12, 12]],
  [
    "each piece has its own, the last holds for the rest: 6, then 2 more, not 4",
    [
      [2, 6],
      [4, 8],
    ],
    [3, 3, 1, 1, 2, 2],
  ],
  [
    "up to the end: all cost 20",
    [
      [2, 6],
      [6, 20],
    ],
    [3, 3, 7 / 3, 7 / 3, 14 / 3, 14 / 3],
  ],
  [
    "a loss below the one before makes the piece free",
    [
      [2, 6],
      [4, 5],
    ],
    [3, 3, 0, 0, 0, 0],
  ],
  ["a negative loss is none", [[2, -1]], [0, 0, 0, 0, 0, 0]],
])("%s", (_, anchors, expected) => {
  const found = anchored(
    curve,
    anchors.map(([steps, loss]) => ({ steps, loss })),
  );
  expect([...found]).toEqual(expected.map((cost) => expect.closeTo(cost, 12)));
});

test("a piece that was predicted to be free keeps the scale before it", () => {
  const free = Float64Array.of(1, 0, 2);
  expect([
    ...anchored(free, [
      { steps: 1, loss: 3 },
      { steps: 2, loss: 5 },
    ]),
  ]).toEqual([3, 0, 6]);
});

test("an absent part has no curve", () => expect(anchored(new Float64Array(0), [])).toHaveLength(0));

test("the prediction itself is left alone", () => {
  const before = curve.slice();
  anchored(curve, [{ steps: 2, loss: 6 }]);
  expect(curve).toEqual(before);
});
