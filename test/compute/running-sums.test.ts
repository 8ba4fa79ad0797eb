import { expect, test } from "vitest";
import { Graph } from "../../src/compute/graph.ts";
import {
  addGram,
  addProduct,
  addTotal,
  emptyGram,
  emptySum,
  sumsBefore,
  wholeGram,
} from "../../src/compute/running-sums.ts";
import { tensor } from "../../src/compute/tensor.ts";
import { nodeBackend } from "../../src/node/backend.ts";

const values = (rows: number, cols: number, seed: number) =>
  tensor(
    Float32Array.from({ length: rows * cols }, (_, i) => Math.sin(seed + 1.7 * i)),
    [rows, cols],
  );

test.each([0, 3, 511, 513, 1200])(
  "a Gram matrix of %i columns grows from run to run, whole again in the end",
  async (size) => {
    const [rows, other] = [5, 2];
    const graph = new Graph();
    const z = graph.input("z", [rows, size]);
    const e = graph.input("e", [rows, other]);
    addGram(graph, "gram", z);
    if (size > 0) {
      addTotal(graph, "total", z);
      addProduct(graph, "drift", e, z);
    } else addTotal(graph, "total", e);
    const sums = {
      ...emptyGram("gram", size),
      ...emptySum("total", 1, size || other),
      ...emptySum("drift", other, size),
    };
    const program = await nodeBackend(1).compile(graph);
    const runs = [1, 2].map((seed) => ({ z: values(rows, size, seed), e: values(rows, other, 10 * seed) }));
    for (const run of runs) await program.run({ ...run, ...sumsBefore(sums) }, sums);
    await program.release();
    const tokens = runs.flatMap((run) => Array.from({ length: rows }, (_, t) => ({ run, t })));
    const at = (x: { data: Float32Array; shape: readonly number[] }, t: number, j: number) =>
      x.data[t * x.shape[1]! + j]!;
    const expected = (a: "z" | "e", i: number, j: number) =>
      tokens.reduce((sum, { run, t }) => sum + at(run[a], t, i) * at(run.z, t, j), 0);
    const gram = wholeGram(sums, "gram", size);
    expect(gram.shape).toEqual([size, size]);
    for (let i = 0; i < size; i += 7)
      for (let j = 0; j < size; j += 5) expect(gram.data[i * size + j]).toBeCloseTo(expected("z", i, j), 4);
    for (let j = 0; j < size; j += 5) {
      expect(sums.total!.data[j]).toBeCloseTo(
        tokens.reduce((sum, { run, t }) => sum + at(run.z, t, j), 0),
        4,
      );
      for (let i = 0; i < other; i++) expect(sums.drift!.data[i * size + j]).toBeCloseTo(expected("e", i, j), 4);
    }
  },
);
