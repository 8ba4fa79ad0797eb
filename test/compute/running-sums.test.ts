import { expect, test } from "vitest";
import { Graph } from "../../src/compute/graph.ts";
import { RunningSums, rowParts } from "../../src/compute/running-sums.ts";
import { type Tensor, tensor } from "../../src/compute/tensor.ts";
import { nodeBackend } from "../../src/node/host.ts";

const values = (rows: number, cols: number, seed: number) =>
  tensor(
    Float32Array.from({ length: rows * cols }, (_, i) => Math.sin(seed + 1.7 * i)),
    [rows, cols],
  );

const [ROWS, OTHER] = [5, 2];

/** A Gram matrix of z, and where z is not empty its total, the product e zᵀ and the sum of z itself; the first two also by rows. */
function emptySums(size: number) {
  const all = new RunningSums();
  const gram = all.gram(size);
  const rest = size > 0 && {
    total: all.sum([1, size]),
    product: all.sum([OTHER, size]),
    itself: all.sum([ROWS, size]),
    totals: all.rows(gram.parts, 1),
    products: all.rows(gram.parts, OTHER),
  };
  return { all, gram, rest };
}

function graphOf(size: number, { gram, rest }: ReturnType<typeof emptySums>): Graph {
  const graph = new Graph();
  const z = graph.input("z", [ROWS, size]);
  const e = graph.input("e", [ROWS, OTHER]);
  gram.add(z);
  if (!rest) graph.output("e again", e);
  else {
    rest.total.addRows(z);
    rest.product.addProduct(e, z);
    rest.itself.add(z);
    const parts = rowParts(z, gram.parts);
    rest.totals.addTotals(parts);
    rest.products.addProducts(parts, e);
  }
  return graph;
}

test.each([0, 3, 191, 193, 1200])("sums over %i columns grow from run to run", async (size) => {
  const sums = emptySums(size);
  const program = await nodeBackend(1).compile(graphOf(size, sums));
  const runs = [1, 2].map((seed) => ({ z: values(ROWS, size, seed), e: values(ROWS, OTHER, 10 * seed) }));
  for (const run of runs) await program.run({ ...run, ...sums.all.inputs }, sums.all.outputs);
  await program.release();
  const rows = runs.flatMap((run) => Array.from({ length: ROWS }, (_, row) => ({ ...run, row })));
  const at = ({ data, shape }: Tensor, row: number, column: number) => data[row * shape[1]! + column]!;
  const sumOf = (term: (place: (typeof rows)[number]) => number) => rows.reduce((sum, place) => sum + term(place), 0);
  const gram = sums.gram.whole();
  expect(gram.shape).toEqual([size, size]);
  for (let i = 0; i < size; i += 7)
    for (let j = 0; j < size; j += 5)
      expect(at(gram, i, j)).toBeCloseTo(
        sumOf(({ z, row }) => at(z, row, i) * at(z, row, j)),
        4,
      );
  if (!sums.rest) return;
  const { total, product, itself, totals, products } = sums.rest;
  expect([totals.tensor.shape, products.tensor.shape]).toEqual([
    [size, 1],
    [size, OTHER],
  ]);
  for (let j = 0; j < size; j += 5) {
    expect(at(total.tensor, 0, j)).toBeCloseTo(
      sumOf(({ z, row }) => at(z, row, j)),
      4,
    );
    expect(at(totals.tensor, j, 0)).toBeCloseTo(at(total.tensor, 0, j), 4);
    for (let i = 0; i < OTHER; i++) {
      expect(at(product.tensor, i, j)).toBeCloseTo(
        sumOf(({ z, e, row }) => at(e, row, i) * at(z, row, j)),
        4,
      );
      expect(at(products.tensor, j, i)).toBeCloseTo(at(product.tensor, i, j), 4);
    }
    expect(at(itself.tensor, 1, j)).toBeCloseTo(at(runs[0]!.z, 1, j) + at(runs[1]!.z, 1, j), 5);
  }
});

test("a program serves other sums that were made in the same order", async () => {
  const [first, second] = [emptySums(3), emptySums(3)];
  const program = await nodeBackend(1).compile(graphOf(3, first));
  const run = { z: values(ROWS, 3, 1), e: values(ROWS, OTHER, 2) };
  for (const { all } of [first, second, second]) await program.run({ ...run, ...all.inputs }, all.outputs);
  await program.release();
  expect(second.gram.whole().data).toEqual(first.gram.whole().data.map((value) => 2 * value));
});

test("a Gram matrix without what another has summed is the difference of the two", async () => {
  const [both, other] = [emptySums(1200), emptySums(1200)];
  const program = await nodeBackend(1).compile(graphOf(1200, both));
  const runs = [both, other, both].map(({ all }, i) => ({ all, z: values(ROWS, 1200, i), e: values(ROWS, OTHER, i) }));
  for (const { all, ...run } of runs) await program.run({ ...run, ...all.inputs }, all.outputs);
  await program.release();
  const part = other.gram.whole().data;
  expect(both.gram.whole(other.gram).data).toEqual(both.gram.whole().data.map((sum, i) => sum - part[i]!));
});
