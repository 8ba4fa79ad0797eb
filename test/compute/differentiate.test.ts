import { expect, test } from "vitest";
import { differentiate } from "../../src/compute/differentiate.ts";
import { Graph, type Value } from "../../src/compute/graph.ts";
import { add, mul, sum } from "../../src/compute/operations/elementwise.ts";
import { tensor } from "../../src/compute/tensor.ts";
import { nodeBackend } from "../../src/node/host.ts";

async function run(graph: Graph, output: Value, inputs: Record<string, number[]>): Promise<number[]> {
  graph.output("result", output);
  const program = await nodeBackend(1).compile(graph);
  const tensors = Object.entries(inputs).map(([name, x]) => [name, tensor(Float32Array.from(x), [x.length])] as const);
  const { result } = await program.run(Object.fromEntries(tensors));
  await program.release();
  return [...result!.data];
}

test("a value that is used twice gathers both gradients: d(x² + 3x) = 2x + 3", async () => {
  const graph = new Graph();
  const [x, three, seed] = [graph.input("x", [2]), graph.input("three", [2]), graph.input("seed", [2])];
  const y = add(mul(x, x), mul(x, three));
  const [gradient] = differentiate(graph, [[y, seed]], [x]);
  expect(await run(graph, gradient!, { x: [2, 5], three: [3, 3], seed: [1, 10] })).toEqual([7, 130]);
});

test("several seeds add up", async () => {
  const graph = new Graph();
  const [x, seed] = [graph.input("x", [2]), graph.input("seed", [2])];
  const square = mul(x, x);
  const cube = mul(square, x);
  const [gradient] = differentiate(
    graph,
    [
      [square, seed],
      [cube, seed],
    ],
    [x],
  );
  // 2x + 3x²
  expect(await run(graph, gradient!, { x: [1, 2], seed: [1, 1] })).toEqual([5, 16]);
});

test("towards an intermediate value, and none towards what no seed depends on", async () => {
  const graph = new Graph();
  const [x, other, seed] = [graph.input("x", [2]), graph.input("other", [2]), graph.input("seed", [2])];
  const square = mul(x, x);
  const y = mul(square, square);
  const [towardsSquare, towardsOther] = differentiate(graph, [[y, seed]], [square, other]);
  expect(towardsOther).toBeUndefined();
  expect(await run(graph, towardsSquare!, { x: [1, 3], other: [0, 0], seed: [1, 1] })).toEqual([2, 18]);
});

test("an operation without a rule on the way is refused by name", () => {
  const graph = new Graph();
  const x = graph.input("x", [2]);
  const y = graph.apply({ name: "opaque", shape: ([shape]) => shape!, onnx: () => "" }, [x], {});
  expect(() => differentiate(graph, [[y, x]], [x])).toThrow("opaque has no gradient rule");
  expect(differentiate(graph, [[sum(x, [0]), sum(x, [0])]], [])).toEqual([]);
});
