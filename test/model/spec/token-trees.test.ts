import { expect, test } from "vitest";
import { type TokenTree, treeBatches } from "../../../src/model/spec/token-trees.ts";

const treeOf = (tokens: number): TokenTree => ({ stem: new Array<number>(tokens).fill(1), branches: [] });
const cut = (lengths: readonly number[]) =>
  treeBatches(lengths.map(treeOf)).map(({ start, end }) => lengths.slice(start, end));

test("trees go together up to 2,048 padded tokens, and none is padded to more than twice its length", () => {
  expect(cut([900, 800, 700])).toEqual([[900, 800], [700]]);
  expect(cut([3000, 1600])).toEqual([[3000], [1600]]);
  expect(cut([304, 300, 160, 144, 40, 24, 16])).toEqual([[304, 300, 160], [144], [40, 24], [16]]);
  expect(cut([])).toEqual([]);
});
