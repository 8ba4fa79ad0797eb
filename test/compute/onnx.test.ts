import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { describe, expect, test } from "vitest";
import { Graph } from "../../src/compute/graph.ts";
import { toOnnx } from "../../src/compute/onnx.ts";
import { add, mul, sum } from "../../src/compute/operations/elementwise.ts";
import { tensor } from "../../src/compute/tensor.ts";
import { nodeBackend } from "../../src/node/host.ts";

function sample(): Graph {
  const graph = new Graph();
  const [a, b] = [graph.input("a", [2, 3]), graph.input("b", [2, 3])];
  mul(a, a); // nothing depends on it
  graph.output("y", add(a, b));
  return graph;
}

describe("the model", () => {
  const { graph, opsetImport } = fromBinary(ModelProtoSchema, toOnnx(sample()));

  test("has the inputs and outputs of the graph by name, with their sizes", () => {
    expect(graph!.input.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(graph!.output.map(({ name }) => name)).toEqual(["y"]);
    const { value } = graph!.input[0]!.type!.value as { value: { shape: { dim: { value: { value: unknown } }[] } } };
    expect(value.shape.dim.map((dim) => dim.value.value)).toEqual([2n, 3n]);
    expect(opsetImport.map(({ version }) => version)).toEqual([23n]);
  });

  test("leaves out what no output depends on", () => expect(graph!.node.map(({ opType }) => opType)).toEqual(["Add"]));
});

test("a value may be an output and the operand of another; an input may be an output", async () => {
  const graph = new Graph();
  const a = graph.input("a", [2]);
  const twice = add(a, a);
  graph.output("same", a);
  graph.output("twice", twice);
  graph.output("total", sum(twice, [0]));
  const program = await nodeBackend(1).compile(graph);
  const result = await program.run({ a: tensor(Float32Array.of(1, 2), [2]) });
  expect([...result.same!.data]).toEqual([1, 2]);
  expect([...result.twice!.data]).toEqual([2, 4]);
  expect([...result.total!.data]).toEqual([6]);
  await program.release();
});

test("one value under two names", async () => {
  const graph = new Graph();
  const twice = add(graph.input("a", [1]), graph.inputs.get("a")!);
  graph.output("x", twice);
  graph.output("y", twice);
  const program = await nodeBackend(1).compile(graph);
  const { x, y } = await program.run({ a: tensor(Float32Array.of(3), [1]) });
  expect([x!.data[0], y!.data[0]]).toEqual([6, 6]);
  await program.release();
});
