// Graphs on a device compute what they compute on the processor: WebGPU stands for all of them.
import { afterAll, describe, expect, test } from "vitest";
import { generateSamples } from "../../src/calibration/self-generated.ts";
import type { Backend } from "../../src/compute/backend.ts";
import { backendGemm } from "../../src/compute/gemm.ts";
import { Graph, type Value } from "../../src/compute/graph.ts";
import { RunningSums } from "../../src/compute/running-sums.ts";
import { elementCount, elementTypeOf, type Shape, type Tensor, tensor } from "../../src/compute/tensor.ts";
import { embed } from "../../src/forward/run/embed.ts";
import { LayerRunner, runLayers } from "../../src/forward/run/layer-runner.ts";
import { matrix } from "../../src/linalg/gemm.ts";
import { createRandom } from "../../src/linalg/random.ts";
import { nodeBackend } from "../../src/node/host.ts";
import * as op from "../helpers/operations.ts";
import { openTiny, testRun, tinyWindows } from "../helpers/run.ts";
import { useSoftwareGraphics } from "../helpers/software-graphics.ts";

const reason = useSoftwareGraphics();
const [processor, device] = [nodeBackend(1), nodeBackend(1, "webgpu")];

const random = createRandom(3);
const some = (shape: Shape): Tensor<Float32Array> =>
  tensor(
    Float32Array.from({ length: elementCount(shape) }, () => random.nextFloat() - 0.5),
    shape,
  );

/** The output of a graph of one operation, or of a few. */
async function compute(backend: Backend, inputs: readonly Tensor[], build: (values: Value[]) => Value) {
  const graph = new Graph();
  const values = inputs.map(({ data, shape }, i) => graph.input(`x${i}`, shape, elementTypeOf(data)));
  graph.output("y", build(values));
  const program = await backend.compile(graph);
  const { y } = await program.run(Object.fromEntries(inputs.map((input, i) => [`x${i}`, input])));
  await program.release();
  return y!;
}

/** Whether numbers differ by no more than the order of a sum makes them. */
function expectAlike(own: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(own.length).toBe(expected.length);
  const largest = Math.max(...Array.from(expected, Math.abs));
  for (let i = 0; i < expected.length; i++) expect(Math.abs(own[i]! - expected[i]!)).toBeLessThan(1e-5 * largest);
}

describe.skipIf(reason)(`WebGPU${reason ? ` (${reason})` : ""}`, () => {
  const f64 = tensor(Float64Array.from([1 / 3, 2 / 3, 1, 2]), [2, 2]);
  const graphs: [string, Tensor[], (values: Value[]) => Value][] = [
    ["products", [some([17, 65]), some([65, 33])], ([a, b]) => op.gemm(a!, b!, {})],
    ["softmax", [some([5, 40])], ([x]) => op.softmax(x!)],
    ["norms", [some([6, 48]), some([48])], ([x, w]) => op.rmsNorm(x!, w!, 1e-6)],
    ["rotary", [some([2, 3, 5, 8]), some([5, 8]), some([5, 8])], ([x, cos, sin]) => op.rotary(x!, cos!, sin!)],
    ["activations and sums", [some([9, 31])], ([x]) => op.sum(op.gelu(op.silu(x!), "tanh"), [0])],
    ["f64, which it has not", [f64, f64], ([a, b]) => op.gemm(a!, b!, { transB: true })],
  ];

  test.each(graphs)("%s", async (_, inputs, build) => {
    const own = await compute(device, inputs, build);
    expectAlike(own.data, (await compute(processor, inputs, build)).data);
  });

  test("an output goes into the tensor that is given for it, which may be an input", async () => {
    const sumsOn = async (backend: Backend): Promise<Tensor> => {
      const sums = new RunningSums();
      const gram = sums.gram(20);
      const graph = new Graph();
      gram.add(graph.input("z", [7, 20]));
      const program = await backend.compile(graph);
      for (const z of batches) await program.run({ z, ...sums.inputs }, sums.outputs);
      await program.release();
      return gram.whole();
    };
    const batches = [some([7, 20]), some([7, 20])];
    expectAlike((await sumsOn(device)).data, (await sumsOn(processor)).data);
  });

  test("linear algebra stays on the processor, to the last bit", async () => {
    const [a, b] = [some([40, 300]), some([300, 40])];
    const [left, right] = [matrix(40, 300, a.data), matrix(300, 40, b.data)];
    const own = await backendGemm(device)(left, right);
    expect(own).toEqual(await backendGemm(processor)(left, right));
  });
});

describe.skipIf(reason).each(["llama", "gemma3"])(`layers of %s${reason ? ` (${reason})` : ""}`, (family) => {
  test("give the same states", async () => {
    const { model, close } = await openTiny(family);
    afterAll(close);
    const states = async (backend: Backend) => {
      const runner = new LayerRunner(backend, model.spec);
      const embedded = await embed(model, tinyWindows(family));
      await runLayers(runner, model, embedded);
      await runner.release();
      return embedded.batches[0]!.hidden.data;
    };
    expectAlike(await states(device), await states(processor));
  });

  test("write text, with keys and values in f32: software graphics have no f16", async () => {
    const { model, close } = await openTiny(family);
    afterAll(close);
    const request = { count: 2, length: 3, firstTokens: [1], seed: 0 };
    const written = await generateSamples(testRun({ backend: device }), model, request);
    expect(written.map(({ length }) => length)).toEqual([3, 3]);
  });
});
