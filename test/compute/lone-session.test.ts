import { expect, test } from "vitest";
import type { Program } from "../../src/compute/backend.ts";
import { Graph } from "../../src/compute/graph.ts";
import { scale } from "../../src/compute/operations/elementwise.ts";
import { gemm } from "../../src/compute/operations/linear.ts";
import { tensor } from "../../src/compute/tensor.ts";
import { nodeBackend } from "../../src/node/host.ts";

const backend = nodeBackend(1);
const ROWS = 2048;
/** A matrix of so many columns is larger than any block that the heap of the C library takes. */
const WIDE = 4608;
const PAGE_BYTES = 4096;

/** y = factor · Σ x, through a matrix [ROWS, width] that nobody else sees; [ROWS, 1] */
function sumsThrough(width: number, factor: number): Promise<Program> {
  const graph = new Graph();
  const spread = gemm(graph.input("x", [ROWS, 4]), graph.input("w", [4, width]), {});
  graph.output("y", gemm(scale(spread, factor), graph.input("v", [width, 1]), {}));
  return backend.compile(graph);
}

const filled = (rows: number, cols: number, value: number) =>
  tensor(new Float32Array(rows * cols).fill(value), [rows, cols]);

/** The mean over `width` of 4 · factor. */
async function oneSum(program: Program, width: number): Promise<number> {
  const inputs = { x: filled(ROWS, 4, 1), w: filled(4, width, 1), v: filled(width, 1, 1 / width) };
  return (await program.run(inputs)).y!.data[ROWS - 1]!;
}

test("graphs that take turns, large ones and small ones, run as if they were alone", async () => {
  const [first, second, small] = await Promise.all([sumsThrough(WIDE, 1), sumsThrough(WIDE, 2), sumsThrough(8, 3)]);
  for (let i = 0; i < 2; i++) {
    expect(await oneSum(first, WIDE)).toBeCloseTo(4, 3);
    expect(await oneSum(second, WIDE)).toBeCloseTo(8, 3);
    expect(await oneSum(small, 8)).toBeCloseTo(12, 3);
  }
  const together = [oneSum(second, WIDE), oneSum(small, 8), oneSum(first, WIDE), oneSum(second, WIDE)];
  const values = await Promise.all(together);
  expect(values.map((value) => Math.round(value))).toEqual([8, 12, 4, 8]);
  await first.release();
  expect(await oneSum(second, WIDE)).toBeCloseTo(8, 3);
  await Promise.all([second.release(), small.release()]);
});

test("a large graph finds the memory of its last run, and leaves it to others", async () => {
  const [large, small] = await Promise.all([sumsThrough(WIDE, 1), sumsThrough(8, 1)]);
  const inputs = { x: filled(ROWS, 4, 1), w: filled(4, WIDE, 1), v: filled(WIDE, 1, 1) };
  const into = { y: filled(ROWS, 1, 0) };
  await large.run(inputs, into);
  const faults = process.resourceUsage().minorPageFault;
  for (let i = 0; i < 5; i++) await large.run(inputs, into);
  expect(process.resourceUsage().minorPageFault - faults).toBeLessThan((4 * ROWS * WIDE) / PAGE_BYTES);
  const held = process.memoryUsage.rss();
  await oneSum(small, 8);
  expect(process.memoryUsage.rss()).toBeLessThan(held - 3 * ROWS * WIDE);
  await Promise.all([large.release(), small.release()]);
});
