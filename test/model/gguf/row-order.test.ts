import { expect, test } from "vitest";
import { interleaveHeads, readHeadRows } from "../../../src/model/gguf/row-order.ts";
import { memoryCheckpoint } from "../memory-checkpoint.ts";

/** Two heads of four rows with two elements each; each row holds its own index. */
const ROWS = Float32Array.from({ length: 16 }, (_, i) => Math.floor(i / 2));
const firsts = (values: Float32Array): number[] => Array.from(values.filter((_, i) => i % 2 === 0));

test("elements i and i + headDim / 2 of a head become neighbours", () => {
  expect(firsts(interleaveHeads(ROWS, 4, 2))).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
});

test("rows are read back in the order of transformers, also from the middle of a head", async () => {
  const stored = { shape: [8, 2], data: interleaveHeads(ROWS, 4, 2) };
  const checkpoint = memoryCheckpoint({ q: stored }, { metadata: {} });
  expect(await readHeadRows(checkpoint, "q", 4, 0, 8)).toEqual(ROWS);
  expect(firsts(await readHeadRows(checkpoint, "q", 4, 1, 6))).toEqual([1, 2, 3, 4, 5]);
  expect(await readHeadRows(checkpoint, "q", 4, 4, 4)).toHaveLength(0);
});
