import { expect, test } from "vitest";
import { keepInfluential } from "../../src/prune/layers.ts";

test("the layers of least influence go, the others stay in order", () =>
  expect(keepInfluential([0.5, 0.1, 0.3, 0.05, 0.4], 2)).toEqual([0, 2, 4]));

test("of equals the later goes", () => expect(keepInfluential([0.1, 0.1, 0.1], 1)).toEqual([0, 1]));

test("nothing goes when none is asked for", () => expect(keepInfluential([1, 2], 0)).toEqual([0, 1]));
